//! A disk that forgets: which system calls were made on some files, and what a power cut may leave of them.
//!
//! Only `fsync` and `fdatasync` make a file's content durable. Of everything written since, a cut keeps for each sector
//! of 512 bytes, and for the length, any of the versions that it had, in any combination. Names in folders are assumed
//! to be durable at once.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

const SECTOR: usize = 512;

/// One completed system call on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// `open`, with those of its flags that matter; the descriptor begins at offset 0.
    Open {
        fd: u32,
        path: PathBuf,
        make: bool,
        empty: bool,
    },
    /// `write`, at the descriptor's offset, or `pwrite`, at its own.
    Write {
        fd: u32,
        path: PathBuf,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    /// `lseek`, with the offset that it returned.
    Seek { fd: u32, offset: u64 },
    /// `ftruncate`.
    Resize { path: PathBuf, length: u64 },
    /// `fsync` or `fdatasync`; `since` is how many calls were complete when it began.
    Sync { path: PathBuf, since: usize },
    /// `rename`.
    Rename { from: PathBuf, to: PathBuf },
    /// `unlink`.
    Remove { path: PathBuf },
}

#[derive(Debug, Default)]
struct File {
    live: Vec<u8>,
    /// The possible content on disk of each sector that was written since the last sync: the call, and the bytes after
    /// it.
    sectors: BTreeMap<usize, Vec<(usize, Vec<u8>)>>,
    lengths: Vec<(usize, usize)>,
}

/// The files of a folder, followed call by call.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: BTreeMap<PathBuf, File>,
    offsets: HashMap<u32, u64>,
    calls: usize,
}

impl File {
    fn sector(&self, number: usize) -> Vec<u8> {
        let from = (number * SECTOR).min(self.live.len());
        let mut bytes = self.live[from..(from + SECTOR).min(self.live.len())].to_vec();
        bytes.resize(SECTOR, 0);
        bytes
    }

    /// Changes the range by `change`; the versions before it stay possible.
    fn change(&mut self, call: usize, from: usize, to: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let touched = from / SECTOR..to.div_ceil(SECTOR);
        for number in touched.clone() {
            if !self.sectors.contains_key(&number) {
                let before = self.sector(number);
                self.sectors.insert(number, vec![(0, before)]);
            }
        }
        if self.lengths.is_empty() {
            self.lengths.push((0, self.live.len()));
        }
        change(&mut self.live);
        for number in touched {
            let after = self.sector(number);
            self.sectors.entry(number).or_default().push((call, after));
        }
        self.lengths.push((call, self.live.len()));
    }

    fn resize(&mut self, call: usize, length: usize) {
        let (from, to) = (self.live.len().min(length), self.live.len().max(length));
        self.change(call, from, to, |live| live.resize(length, 0));
    }

    fn sync(&mut self, since: usize) {
        self.sectors.retain(|_, versions| forget(versions, since));
        forget(&mut self.lengths, since);
    }

    /// Returns what a cut leaves; `pick` chooses one of so many versions, the oldest first.
    fn cut(&self, pick: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
        let mut left = self.live.clone();
        let end = self
            .sectors
            .keys()
            .next_back()
            .map_or(0, |last| (last + 1) * SECTOR);
        left.resize(left.len().max(end), 0);
        for (number, versions) in &self.sectors {
            let version = &versions[pick(versions.len())].1;
            left[number * SECTOR..(number + 1) * SECTOR].copy_from_slice(version);
        }
        let length = match self.lengths.len() {
            0 => self.live.len(),
            versions => self.lengths[pick(versions)].1,
        };
        left.resize(length, 0);
        left
    }
}

/// Drops the versions that a sync has overtaken. Returns false when no choice is left.
fn forget<T>(versions: &mut Vec<(usize, T)>, since: usize) -> bool {
    let overtaken = versions.partition_point(|(call, _)| *call <= since);
    versions.drain(..overtaken.saturating_sub(1));
    if versions.len() == 1 {
        versions.clear();
    }
    !versions.is_empty()
}

impl Disk {
    /// Carries out the next call.
    pub(super) fn apply(&mut self, call: &Call) {
        self.calls += 1;
        let now = self.calls;
        match call {
            Call::Open {
                fd,
                path,
                make,
                empty,
            } => {
                self.offsets.insert(*fd, 0);
                if *make {
                    self.files.entry(path.clone()).or_default();
                }
                if let Some(file) = self.files.get_mut(path).filter(|_| *empty) {
                    file.resize(now, 0);
                }
            }
            Call::Write { fd, path, at, bytes } => {
                let at = at.unwrap_or_else(|| {
                    let offset = self.offsets.entry(*fd).or_default();
                    let at = *offset;
                    *offset += bytes.len() as u64;
                    at
                });
                let file = self.files.entry(path.clone()).or_default();
                let (from, to) = (at as usize, at as usize + bytes.len());
                let first = from.min(file.live.len());
                file.change(now, first, to, |live| {
                    live.resize(live.len().max(to), 0);
                    live[from..to].copy_from_slice(bytes);
                });
            }
            Call::Seek { fd, offset } => drop(self.offsets.insert(*fd, *offset)),
            Call::Resize { path, length } => {
                let file = self.files.entry(path.clone()).or_default();
                file.resize(now, *length as usize);
            }
            Call::Sync { path, since } => {
                if let Some(file) = self.files.get_mut(path) {
                    file.sync(*since);
                }
            }
            Call::Rename { from, to } => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
            }
            Call::Remove { path } => drop(self.files.remove(path)),
        }
    }

    /// Returns the content of every file as programs see it.
    pub(super) fn live(&self) -> BTreeMap<&Path, &[u8]> {
        let files = self.files.iter();
        files
            .map(|(path, file)| (path.as_path(), file.live.as_slice()))
            .collect()
    }

    /// Writes what a power cut leaves of the files under `from` into `to`.
    pub(super) fn cut(&self, from: &Path, to: &Path, pick: &mut impl FnMut(usize) -> usize) {
        for (path, file) in &self.files {
            let Ok(name) = path.strip_prefix(from) else {
                continue;
            };
            let path = to.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file.cut(pick)).unwrap();
        }
    }
}

#[test]
fn a_cut_leaves_old_and_new_sectors_and_nothing_older_than_the_sync() {
    let path = PathBuf::from("/d/f");
    let write = |at: u64, byte: u8| Call::Write {
        fd: 3,
        path: path.clone(),
        at: Some(at),
        bytes: vec![byte; SECTOR],
    };
    let mut disk = Disk::default();
    let calls = [
        write(0, 1),
        write(512, 1),
        Call::Sync {
            path: path.clone(),
            since: 1,
        },
        write(0, 2),
    ];
    calls.iter().for_each(|call| disk.apply(call));
    let cut = |choice: fn(usize) -> usize| disk.files[&path].cut(&mut |n| choice(n));
    let sectors = |left: Vec<u8>| left.chunks(SECTOR).map(|sector| sector[0]).collect::<Vec<_>>();
    assert_eq!(
        sectors(cut(|_| 0)),
        [1],
        "the second write began after the sync did"
    );
    assert_eq!(sectors(cut(|n| n - 1)), [2, 1]);
}
