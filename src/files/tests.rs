use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_file_appears_whole_and_private_or_not_at_all() {
    let folder = folder();
    let path = folder.path().join("copy");
    let mut file = NewFile::begin(&path).unwrap();
    file.write_all(b"half").unwrap();
    assert!(!path.exists());
    drop(file);
    assert!(names(&folder).is_empty(), "what was begun is gone");
    let mut file = NewFile::begin(&path).unwrap();
    file.write_all(b"whole").unwrap();
    file.put().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(&folder), ["copy"]);
}

#[test]
fn nothing_is_overwritten_or_followed() {
    let folder = folder();
    let other = folder.path().join("other");
    fs::write(&other, "theirs").unwrap();
    let links = [("taken", "other"), ("dangling", "nowhere")];
    for (name, to) in links {
        symlink(folder.path().join(to), folder.path().join(name)).unwrap();
    }
    for name in ["other", "taken", "dangling"] {
        let mut file = NewFile::begin(&folder.path().join(name)).unwrap();
        file.write_all(b"ours").unwrap();
        assert_eq!(
            file.put().unwrap_err().kind(),
            io::ErrorKind::AlreadyExists,
            "{name}"
        );
    }
    assert!(!folder.path().join("nowhere").exists());
    let mut file = NewFile::begin(&folder.path().join("taken")).unwrap();
    file.write_all(b"ours").unwrap();
    file.replace().unwrap();
    assert_eq!(
        fs::read(&other).unwrap(),
        b"theirs",
        "the link went, not what it leads to"
    );
}

#[test]
fn what_is_kept_open_is_ours_and_no_link() {
    let folder = folder();
    let other = folder.path().join("other");
    fs::write(&other, "theirs").unwrap();
    symlink(&other, folder.path().join("lock")).unwrap();
    let mut append = OpenOptions::new();
    append.append(true).create(true);
    let refused = open_ours(&folder.path().join("lock"), &mut append).unwrap_err();
    assert!(refused.to_string().contains("link"), "{refused}");
    open_ours(&other, &mut append).unwrap();
    if own_uid() == 0 {
        rustix::fs::chown(&other, Some(rustix::fs::Uid::from_raw(65534)), None).unwrap();
        let refused = open_ours(&other, &mut append).unwrap_err();
        assert!(refused.to_string().contains("uid 65534"), "{refused}");
        assert_eq!(looseness(&other, true).unwrap(), Some(Loose::Owner(65534)));
    }
}

#[test]
fn what_is_read_ends() {
    let folder = folder();
    let path = folder.path().join("secret");
    fs::write(&path, "x".repeat(1024)).unwrap();
    assert_eq!(read_limited(&path, 1024).unwrap().len(), 1024);
    let too_large = read_limited(&path, 1023).unwrap_err();
    assert_eq!(too_large.kind(), io::ErrorKind::FileTooLarge);
    for other in ["/dev/zero", "/", "/dev/null"] {
        let refused = read_limited(Path::new(other), 1024).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{other}");
    }
    assert!(
        looseness(&path, false)
            .unwrap()
            .is_some_and(|loose| matches!(loose, Loose::Mode(_)))
    );
}

#[test]
fn a_file_that_becomes_shorter_keeps_nothing_of_what_it_was() {
    let folder = folder();
    let path = folder.path().join("marker");
    write_ours(&path, b"a long text").unwrap();
    write_ours(&path, b"short").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"short");
}

#[test]
fn each_bit_for_group_or_others_is_loose() {
    let folder = folder();
    let path = folder.path().join("secret");
    fs::write(&path, "").unwrap();
    for (mode, loose) in [
        (0o600, false),
        (0o400, false),
        (0o640, true),
        (0o620, true),
        (0o610, true),
        (0o604, true),
        (0o602, true),
        (0o601, true),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let wanted = loose.then_some(Loose::Mode(mode));
        assert_eq!(looseness(&path, false).unwrap(), wanted, "{mode:o}");
    }
}
