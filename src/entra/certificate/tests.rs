use serde_json::Value;

use super::*;

const CERT: &str = include_str!("../../../tests/data/certificates/cert.pem");
const KEY: &str = include_str!("../../../tests/data/certificates/key.pem");
const PKCS1: &str = include_str!("../../../tests/data/certificates/key-pkcs1.pem");
const ENCRYPTED: &str = include_str!("../../../tests/data/certificates/key-encrypted.pem");
const ENCRYPTED_PKCS1: &str = include_str!("../../../tests/data/certificates/key-encrypted-pkcs1.pem");
const OTHER: &str = include_str!("../../../tests/data/certificates/other-key.pem");
const OTHER_CERT: &str = include_str!("../../../tests/data/certificates/other-cert.pem");
const EXPIRED: &str = include_str!("../../../tests/data/certificates/expired.pem");
const FUTURE: &str = include_str!("../../../tests/data/certificates/future.pem");
const EC: &str = include_str!("../../../tests/data/certificates/ec-cert.pem");
const EC_KEY: &str = include_str!("../../../tests/data/certificates/ec-key.pem");

/// 2026-12-01.
const NOW: Timestamp = Timestamp(1_796_083_200_000);

fn refusal(certificate: &str, key: Option<&str>) -> CertificateError {
    Certificate::from_pem(certificate, key).err().unwrap()
}

#[test]
fn what_is_no_pair_of_rsa_is_refused_by_its_name() {
    let both = format!("{CERT}{KEY}");
    for (certificate, key, expected) in [
        ("", None, CertificateError::NoCertificate),
        (KEY, None, CertificateError::NoCertificate),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            Some(KEY),
            CertificateError::Malformed,
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA",
            Some(KEY),
            CertificateError::NoCertificate,
        ),
        (CERT, None, CertificateError::NoKey),
        (CERT, Some(CERT), CertificateError::NoKey),
        (CERT, Some(ENCRYPTED), CertificateError::Encrypted),
        (CERT, Some(ENCRYPTED_PKCS1), CertificateError::Encrypted),
        (CERT, Some(OTHER), CertificateError::OtherKey),
        (CERT, Some(EC_KEY), CertificateError::NotRsa),
        (EC, Some(EC_KEY), CertificateError::NotRsa),
        // The first certificate is the one that counts.
        (&format!("{OTHER_CERT}{both}"), None, CertificateError::OtherKey),
    ] {
        let found = refusal(certificate, key);
        assert_eq!(found, expected);
        assert!(!found.hint().is_empty());
    }
    for pem in [
        both.clone(),
        format!("{KEY}{CERT}"),
        format!("{both}{OTHER_CERT}"),
    ] {
        Certificate::from_pem(&pem, None).unwrap();
    }
    Certificate::from_pem(CERT, Some(PKCS1)).unwrap();
}

#[test]
fn it_is_valid_from_its_first_day_to_its_last() {
    let days = |pem: &str| Certificate::from_pem(pem, Some(KEY)).unwrap();
    assert_eq!(days(CERT).check_valid(NOW), Ok(()));
    let expired = CertificateError::Expired("2021-01-01".to_owned());
    assert_eq!(days(EXPIRED).check_valid(NOW), Err(expired.clone()));
    assert_eq!(
        days(FUTURE).check_valid(NOW),
        Err(CertificateError::NotYetValid("2090-01-01".to_owned()))
    );
    assert_eq!(
        days(EXPIRED).assertion("https://x", "app", NOW).err(),
        Some(expired)
    );
    // 2021-01-01T00:00:00Z, the first moment after it.
    let end = days(EXPIRED).ends();
    assert_eq!(end, Timestamp(1_609_459_200_000));
    assert!(days(EXPIRED).check_valid(Timestamp(end.0 - 1)).is_ok());
    assert!(days(EXPIRED).check_valid(end).is_err());
}

#[test]
fn an_assertion_has_the_header_and_the_claims_that_entra_asks_for() {
    let certificate = Certificate::from_pem(CERT, Some(KEY)).unwrap();
    let assertion = |now| {
        let text = certificate
            .assertion("https://login/t/oauth2/v2.0/token", "app", now)
            .unwrap();
        let parts: Vec<String> = text.expose().split('.').map(str::to_owned).collect();
        let json =
            |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
        (json(&parts[0]), json(&parts[1]))
    };
    let (header, claims) = assertion(NOW);
    assert_eq!((&header["alg"], &header["typ"]), (&"PS256".into(), &"JWT".into()));
    let der = blocks(CERT).next().unwrap().der().unwrap();
    assert_eq!(header["x5t#S256"], URL_SAFE_NO_PAD.encode(Sha256::digest(der)));
    let seconds = NOW.0 / 1000;
    assert_eq!(claims["aud"], "https://login/t/oauth2/v2.0/token");
    assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
    assert_eq!(
        (&claims["nbf"], &claims["iat"]),
        (&seconds.into(), &seconds.into())
    );
    assert_eq!(claims["exp"], seconds + 600);
    assert_ne!(
        claims["jti"],
        assertion(NOW).1["jti"],
        "signed anew, with an id of its own"
    );
}
