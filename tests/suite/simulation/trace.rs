//! What happened in a run, as one number; as lines too, where somebody wants to read them.

/// Every line goes into the hash. Two runs of a seed that differ anywhere differ here.
#[derive(Debug, Default)]
pub struct Trace {
    pub keep: bool,
    pub lines: Vec<String>,
    hash: u64,
}

impl Trace {
    pub fn new(keep: bool) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let line = line();
        let mut hash = self.hash ^ 0xCBF2_9CE4_8422_2325;
        for byte in line.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        self.hash = hash;
        if self.keep {
            self.lines.push(line);
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }
}
