//! A few files as one stream: the plain archives (ustar) that `tar -x` unpacks. Written and read by hand, for it is little: a head
//! of 512 bytes before each file, and the file filled up to a multiple of that.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;

/// The unit of an archive, in bytes.
const BLOCK: usize = 512;

/// The largest file: eleven octal digits.
const LARGEST: u64 = 0o777_7777_7777;

/// A part of a head.
type Field = std::ops::Range<usize>;
const NAME: Field = 0..100;
const MODE: Field = 100..108;
const SIZE: Field = 124..136;
const SUM: Field = 148..156;
const KIND: usize = 156;
const MAGIC: Field = 257..265;

/// Writes an archive of these files, each from where it stands to its end.
pub fn write(files: &[(&str, File)], out: &mut impl Write) -> io::Result<()> {
    for (name, file) in files {
        let size = file.metadata()?.len();
        out.write_all(&head(name, size)?)?;
        let copied = io::copy(&mut file.take(size), out)?;
        if copied != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.write_all(&vec![0; filling(size)])?;
    }
    out.write_all(&[0; 2 * BLOCK])
}

/// Gives each file of an archive to `keep`, by its name. What `keep` leaves of it is an error: so is an archive that is cut.
pub fn read(
    from: &mut impl Read,
    mut keep: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    loop {
        let mut head = [0; BLOCK];
        from.read_exact(&mut head)?;
        if head.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        if octal(&head[SUM]) != Some(sum(&head)) {
            return Err(wrong("it is no archive, or was altered on its way"));
        }
        let size = octal(&head[SIZE]).ok_or_else(|| wrong("the length of a file in it is no number"))?;
        let name = head[NAME].split(|byte| *byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| wrong("the name of a file in it is no text"))?;
        let mut file = from.take(size);
        keep(name, &mut file)?;
        if file.limit() > 0 {
            return Err(wrong("a file in it was not read to its end"));
        }
        from.read_exact(&mut vec![0; filling(size)])?;
    }
}

fn filling(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    (BLOCK - over) % BLOCK
}

fn head(name: &str, size: u64) -> io::Result<[u8; BLOCK]> {
    if name.len() >= NAME.len() || size > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut head = [0; BLOCK];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[MODE].copy_from_slice(b"0000600\0");
    head[SIZE].copy_from_slice(format!("{size:011o}\0").as_bytes());
    head[KIND] = b'0';
    head[MAGIC].copy_from_slice(b"ustar\x0000");
    let sum = sum(&head);
    head[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(head)
}

/// The sum over a head, in which its own place counts as blanks.
fn sum(head: &[u8; BLOCK]) -> u64 {
    let byte = |(at, byte): (usize, &u8)| u64::from(if SUM.contains(&at) { b' ' } else { *byte });
    head.iter().enumerate().map(byte).sum()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use super::*;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file.rewind().unwrap();
        file
    }

    fn packed() -> Vec<u8> {
        let mut out = Vec::new();
        write(
            &[
                ("a.txt", file(b"hello")),
                ("b", file(&[7; 512])),
                ("c", file(b"")),
            ],
            &mut out,
        )
        .unwrap();
        out
    }

    fn unpacked(archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut all = Vec::new();
        let mut archive = archive;
        read(&mut archive, |name, from| {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes)?;
            all.push((name.to_owned(), bytes));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn what_is_packed_is_what_is_unpacked() {
        let expected = [
            ("a.txt", b"hello".to_vec()),
            ("b", vec![7; 512]),
            ("c", Vec::new()),
        ];
        let expected = expected.map(|(name, bytes)| (name.to_owned(), bytes));
        assert_eq!(unpacked(&packed()).unwrap(), expected);
    }

    #[test]
    fn a_cut_or_altered_archive_is_an_error() {
        let whole = packed();
        for length in [0, 100, 515, 1024, whole.len() - 1025] {
            assert!(unpacked(&whole[..length]).is_err(), "{length}");
        }
        let mut altered = whole;
        altered[1] = b'/';
        assert!(unpacked(&altered).is_err());
    }

    #[test]
    fn tar_itself_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.tar");
        std::fs::write(&path, packed()).unwrap();
        let Ok(listed) = std::process::Command::new("tar").arg("-tf").arg(&path).output() else {
            return;
        };
        assert!(listed.status.success(), "{listed:?}");
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "a.txt\nb\nc\n");
    }
}
