use std::collections::BTreeMap;

use super::*;

fn detect(variables: &[(&str, &str)], agent: bool) -> Result<ManagedIdentity, Unusable> {
    let set: BTreeMap<_, _> = variables.iter().copied().collect();
    ManagedIdentity::detect(
        Some("identity".to_owned()),
        |name| set.get(name).map(|value| (*value).to_owned()),
        |_| agent,
    )
}

#[test]
fn the_place_is_told_by_the_environment() {
    let imds = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";
    let rest = "&resource=https%3A%2F%2Fgraph&client_id=identity";
    for (variables, agent, url, header) in [
        (&[][..], false, imds.to_owned(), "Metadata"),
        (
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:5/")],
            false,
            "http://127.0.0.1:5/metadata/identity/oauth2/token?api-version=2018-02-01".to_owned(),
            "Metadata",
        ),
        (
            &[
                ("IDENTITY_ENDPOINT", "http://127.0.0.1:4141/msi/token"),
                ("IDENTITY_HEADER", "h"),
            ],
            true,
            "http://127.0.0.1:4141/msi/token?api-version=2019-08-01".to_owned(),
            "X-IDENTITY-HEADER",
        ),
        (
            &[
                ("IDENTITY_ENDPOINT", "http://127.0.0.1:7/arc"),
                ("IMDS_ENDPOINT", "x"),
            ],
            false,
            "http://127.0.0.1:7/arc?api-version=2020-06-01".to_owned(),
            "Metadata",
        ),
        // Set and empty is not set.
        (
            &[("IDENTITY_ENDPOINT", ""), ("IDENTITY_HEADER", "")],
            false,
            imds.to_owned(),
            "Metadata",
        ),
        (&[], true, format!("{ARC}?api-version=2020-06-01"), "Metadata"),
    ] {
        let identity = detect(variables, agent).unwrap();
        let (found, headers) = identity.request("https://graph", None);
        assert_eq!(found.as_str(), url.clone() + rest);
        assert_eq!(
            headers.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            [header]
        );
    }
    assert!(detect(&[("IDENTITY_SERVER_THUMBPRINT", "a")], false).is_err());
    assert!(
        detect(
            &[("IDENTITY_ENDPOINT", "no address"), ("IDENTITY_HEADER", "h")],
            false
        )
        .is_err()
    );
}

#[test]
fn only_a_key_in_the_agents_own_folder_is_read() {
    let arc = detect(&[], true).unwrap();
    let named = |realm: &str| arc.key_file(&format!("Basic realm={realm}")).unwrap();
    let good = format!("{ARC_KEYS}/abc.key");
    assert_eq!(named(&good).unwrap(), Path::new(&good));
    assert_eq!(named(&format!("\"{good}\"")).unwrap(), Path::new(&good));
    for realm in [
        "/etc/shadow",
        "/etc/abc.key",
        &format!("{ARC_KEYS}/abc"),
        &format!("{ARC_KEYS}/../abc.key"),
        &format!("{ARC_KEYS}/sub/abc.key"),
        "",
    ] {
        assert!(named(realm).is_err(), "{realm}");
    }
    assert!(arc.key_file("Negotiate").unwrap().is_err());
    let machine = detect(&[], false).unwrap();
    assert!(
        machine.key_file("Basic realm=/etc/a.key").is_none(),
        "a machine's service asks for none"
    );
}
