//! A group of processes with little memory.

use std::fs;
use std::path::PathBuf;

use super::row::Skip;

/// A limit on memory, beyond which the kernel kills; it goes when this is dropped.
#[derive(Debug)]
pub struct MemoryLimit {
    folder: PathBuf,
}

impl MemoryLimit {
    /// Makes a group below that of this process.
    ///
    /// # Errors
    ///
    /// This process may not, or there are no such groups.
    pub fn new(bytes: u64) -> Result<MemoryLimit, Skip> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let first = groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controller, path) = rest.split_once(':')?;
            (controller == "memory").then(|| format!("/sys/fs/cgroup/memory{path}"))
        });
        let second = groups.lines().find_map(|line| line.strip_prefix("0::"));
        let (parent, limit) = match (first, second) {
            (Some(parent), _) => (parent, "memory.limit_in_bytes"),
            (None, Some(path)) => (format!("/sys/fs/cgroup{path}"), "memory.max"),
            (None, None) => return Err(Skip("no control groups".into())),
        };
        let folder = PathBuf::from(parent).join(format!("torture-{}", std::process::id()));
        let failed = |error| Skip(format!("no control group {folder:?}: {error}"));
        fs::create_dir(&folder).map_err(failed)?;
        let group = MemoryLimit { folder: folder.clone() };
        fs::write(folder.join(limit), bytes.to_string()).map_err(failed)?;
        Ok(group)
    }

    /// Takes a process in.
    ///
    /// # Errors
    ///
    /// The group does not take it.
    pub fn add(&self, process: u32) -> Result<(), Skip> {
        let procs = self.folder.join("cgroup.procs");
        fs::write(procs, process.to_string()).map_err(|error| Skip(format!("no member: {error}")))
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // A group with members stays; then a test has failed already.
        let _ = fs::remove_dir(&self.folder);
    }
}
