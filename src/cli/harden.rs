//! What the process is before it does anything: what it makes is for its owner alone, and its memory, in which secrets are,
//! is written to no file and shown to no other process of the same user.

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::setrlimit;

use crate::files;

/// To be called once, before anything else. What the system does not let be done here, a service manager may do as well
/// (deploy/melonsync.service); it is no reason not to work.
pub fn harden() {
    files::keep_private();
    keep_in_memory();
}

fn keep_in_memory() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_not_written_to_a_file() {
        keep_in_memory();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert!(matches!(
            rustix::process::dumpable_behavior(),
            Ok(rustix::process::DumpableBehavior::NotDumpable)
        ));
    }
}
