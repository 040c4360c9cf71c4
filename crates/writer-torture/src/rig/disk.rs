//! File systems that are small, or that lose their power.
#![allow(unsafe_code, reason = "the call that cuts the power has no safe wrapper")]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::ioctl::{Opcode, Setter, ioctl, opcode};
use tempfile::{NamedTempFile, TempDir};

use super::row::Skip;
use super::tools::run_tool;

fn folder() -> Result<TempDir, Skip> {
    tempfile::tempdir().map_err(|error| Skip(format!("no folder to mount on: {error}")))
}

/// A file system in memory, which goes when this is dropped.
#[derive(Debug)]
pub struct Tmpfs {
    folder: TempDir,
}

impl Tmpfs {
    /// Mounts one of `bytes` bytes.
    ///
    /// # Errors
    ///
    /// This process may not mount.
    pub fn mount(bytes: u64) -> Result<Tmpfs, Skip> {
        let folder = folder()?;
        let options = format!("size={bytes}");
        run_tool("mount", ["-t", "tmpfs", "-o", &options, "none"], Some(folder.path()))?;
        Ok(Tmpfs { folder })
    }

    /// A name on it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(self.folder.path());
    }
}

/// A file system of its own in an image, which goes when this is dropped.
#[derive(Debug)]
pub struct Ext4 {
    image: NamedTempFile,
    folder: TempDir,
}

/// `EXT4_IOC_SHUTDOWN`: from now on the file system does no more output.
const SHUTDOWN: Opcode = opcode::read::<u32>(b'X', 125);

/// Without a last write of the journal: what is not on the disk yet is lost.
const WITHOUT_FLUSH: u32 = 2;

impl Ext4 {
    /// Makes an image of `bytes` bytes and mounts it.
    ///
    /// # Errors
    ///
    /// This process may not mount, or the tools are missing.
    pub fn mount(bytes: u64) -> Result<Ext4, Skip> {
        let sparse = || {
            let image = NamedTempFile::new()?;
            image.as_file().set_len(bytes)?;
            io::Result::Ok(image)
        };
        let image = sparse().map_err(|error| Skip(format!("no image: {error}")))?;
        run_tool("mkfs.ext4", ["-q", "-F"], Some(image.path()))?;
        let disk = Ext4 { image, folder: folder()? };
        disk.mount_image()?;
        Ok(disk)
    }

    fn mount_image(&self) -> Result<(), Skip> {
        let image = self.image.path().to_string_lossy();
        run_tool("mount", ["-o", "loop", &image], Some(self.folder.path()))
    }

    /// A name on it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Cuts the power: every later output is an error.
    ///
    /// # Errors
    ///
    /// The system has no such call.
    pub fn cut_power(&self) -> Result<(), Skip> {
        let folder = File::open(self.folder.path()).map_err(|error| Skip(error.to_string()))?;
        // SAFETY: the number is that of `EXT4_IOC_SHUTDOWN`, which reads one `u32` at the address
        // it gets; `Setter` passes the address of one that lives as long as the call.
        let done = unsafe { ioctl(&folder, Setter::<SHUTDOWN, u32>::new(WITHOUT_FLUSH)) };
        done.map_err(|error| Skip(format!("no shutdown call for file systems: {error}")))
    }

    /// Mounts what was on the disk, as after the return of the power.
    ///
    /// # Errors
    ///
    /// The image is in use or cannot be mounted.
    pub fn remount(&self) -> Result<(), Skip> {
        run_tool("umount", [], Some(self.folder.path()))?;
        self.mount_image()
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        unmount(self.folder.path());
    }
}

fn unmount(folder: &Path) {
    // Lazily: a process that still has a file open keeps nothing else.
    if let Err(Skip(why)) = run_tool("umount", ["-l"], Some(folder)) {
        use std::io::Write;
        // Nobody else is left to be told.
        let _ = writeln!(std::io::stderr(), "cannot unmount {folder:?}: {why}");
    }
}
