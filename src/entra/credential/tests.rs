use super::*;

const NOW: Timestamp = Timestamp(1_796_083_200_000);

fn token(claims: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn a_platforms_token_is_read_as_it_stands_and_an_ended_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        federated_token(&path, NOW).map(|token| token.expose().to_owned())
    };
    let good = token(r#"{"exp":1796083201}"#);
    assert_eq!(read(&format!(" {good}\n")).unwrap(), good);
    // Whether a token without an end is good is Entra's to say.
    assert!(read(&token("{}")).is_ok());
    for (text, what) in [
        (token(r#"{"exp":1796083200}"#).as_str(), "ended at 2026-12-01T"),
        ("", "is no signed token"),
        ("a.b", "is no signed token"),
        ("a.!.c", "is no signed token"),
    ] {
        let unusable = read(text).unwrap_err();
        assert!(unusable.what.contains(what), "{unusable:?}");
        assert!(!unusable.hint.is_empty());
    }
    std::fs::remove_file(&path).unwrap();
    assert!(
        federated_token(&path, NOW)
            .unwrap_err()
            .what
            .contains("cannot be read")
    );
}
