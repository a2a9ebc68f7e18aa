//! Who is let in, and which tokens and certificates are refused at load.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Access;
use crate::app::error::AppError;
use crate::model::role::Role;
use crate::settings::Settings;

const GOOD: &str = "0123456789abcdef0123456789abcdef";

fn read(folder: &Path, admin: &str) -> Result<Access, AppError> {
    let minimal = include_str!("../../../config/minimal.toml");
    let admin = admin.replace("FOLDER", &folder.display().to_string());
    let text = format!("[admin]\n{admin}\n{minimal}");
    Access::read(&Settings::parse("test.toml", &text, &BTreeMap::new(), true).unwrap())
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, token) in [
        ("good", GOOD),
        ("viewer", "viewer-viewer-viewer-viewer-viewer"),
        ("short", "0123456789abcdef0123456789abcde"),
        ("odd", "0123456789abcdef 0123456789abcdef"),
    ] {
        fs::write(folder.path().join(name), format!("{token}\n")).unwrap();
    }
    folder
}

#[test]
fn a_token_has_one_holder_and_nearly_a_token_none() {
    let folder = folder();
    let access = read(
        folder.path(),
        "listen = \"127.0.0.1:0\"\ntoken = { file = \"FOLDER/good\" }\n\
         [[admin.tokens]]\nname = \"helpdesk\"\nrole = \"viewer\"\ntoken = { file = \"FOLDER/viewer\" }",
    )
    .unwrap();
    let holder = |token: &str| {
        access
            .holder(token.as_bytes())
            .map(|holder| (holder.name, holder.role))
    };
    assert_eq!(holder(GOOD), Some(("admin".to_owned(), Role::Approver)));
    assert_eq!(
        holder("viewer-viewer-viewer-viewer-viewer"),
        Some(("helpdesk".to_owned(), Role::Viewer))
    );
    for wrong in [
        "",
        &GOOD[1..],
        &GOOD.to_uppercase(),
        &format!("{GOOD}0"),
        &format!("{GOOD}\n"),
    ] {
        assert_eq!(holder(wrong), None, "{wrong:?}");
    }
}

#[test]
fn tokens_that_can_be_guessed_or_told_apart_by_nobody_are_refused() {
    let folder = folder();
    for (admin, said) in [
        ("token = { file = \"FOLDER/short\" }", "31 characters"),
        ("token = { file = \"FOLDER/odd\" }", "no header can carry"),
        ("token = { file = \"FOLDER/none\" }", "cannot read the file"),
        (
            "token = { file = \"FOLDER/good\" }\n[[admin.tokens]]\nname = \"helpdesk\"\nrole = \"viewer\"\n\
             token = { file = \"FOLDER/good\" }",
            "`admin` and `helpdesk` are the same",
        ),
        (
            "tls = { cert = \"FOLDER/none\", key = \"FOLDER/good\" }",
            "admin.tls.cert",
        ),
        (
            "tls = { cert = \"FOLDER/good\", key = \"FOLDER/good\" }",
            "no certificate",
        ),
    ] {
        let refused = read(folder.path(), &format!("listen = \"127.0.0.1:0\"\n{admin}")).err();
        let text = format!("{:?}", refused.unwrap().errors);
        assert!(text.contains(said), "{admin}: {text}");
        assert!(!text.contains(GOOD), "{text}");
        assert!(
            read(folder.path(), admin).is_ok(),
            "without an address nobody needs it: {admin}"
        );
    }
}
