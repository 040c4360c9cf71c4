//! What the processor can be told about its caches.

/// Bytes of a cache line, or a part of it where they are longer.
pub(crate) const LINE: usize = 64;

/// Hints that the next to use these bytes is another core. Their cache lines go down to the cache
/// that all cores share, and come from there sooner than out of another core's own.
///
/// `cldemote`, which Intel's servers have since Sapphire Rapids. A processor without it treats it
/// as a NOP (Software Developer's Manual, volume 2,
/// [CLDEMOTE](https://www.felixcloutier.com/x86/cldemote)). Other than x86-64 there is nothing of
/// it.
#[inline]
#[allow(unsafe_code, reason = "a hint to the processor has no other form")]
pub(crate) fn demote(bytes: &[u8]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for byte in bytes.iter().step_by(LINE) {
        let at: *const u8 = byte;
        // SAFETY: a hint about a byte that is there; no register, no flag and no memory changes.
        unsafe {
            std::arch::asm!("cldemote [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = bytes;
}
