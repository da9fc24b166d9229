//! The message that `lmada_last_error` returns. Each thread has one.

use core::cell::UnsafeCell;
use core::ffi::c_char;
use core::fmt::{Display, Write};

/// A message of at most 511 bytes and its NUL, in thread-local storage: no allocation, no destructor.
///
/// The order of the fields is fixed, and `bytes` is not the first. So a pointer to the struct instead of `bytes` fails
/// the tests with every compiler.
#[repr(C)]
struct Message {
    len: usize,
    bytes: [u8; 512],
}

thread_local! {
    static MESSAGE: UnsafeCell<Message> = const { UnsafeCell::new(Message { len: 0, bytes: [0; 512] }) };
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let left = self.bytes.len() - 1 - self.len;
        let mut cut = text.len().min(left);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        self.bytes[self.len..self.len + cut].copy_from_slice(&text.as_bytes()[..cut]);
        self.len += cut;
        Ok(())
    }
}

/// Stores `what` as the message of the calling thread.
pub(super) fn remember(what: &dyn Display) {
    MESSAGE.with(|message| {
        // SAFETY: the message belongs to this thread, and nothing that `write!` calls gets back here: the printed types
        // are this library's or the standard library's.
        let message = unsafe { &mut *message.get() };
        message.len = 0;
        let _ = write!(message, "{what}");
        message.bytes[message.len] = 0;
    });
}

/// Returns the message of the calling thread, NUL-terminated.
pub(super) fn last_message() -> *const c_char {
    // The field is named: its offset in the struct may change.
    // SAFETY: the pointer is to the thread's message, which lives as long as the thread; no reference is made.
    MESSAGE.with(|message| unsafe { &raw const (*message.get()).bytes }.cast())
}

/// Returns a copy of the message, for tests.
#[cfg(test)]
pub(super) fn message() -> String {
    // SAFETY: `remember` leaves a NUL-terminated string.
    unsafe { core::ffi::CStr::from_ptr(last_message()) }.to_str().unwrap().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_at_a_character() {
        remember(&"é".repeat(400));
        assert_eq!(message().len(), 510);
    }

    #[test]
    fn last_message_points_at_the_text() {
        remember(&"here");
        MESSAGE.with(|message| {
            // SAFETY: nothing else refers to the message meanwhile.
            let bytes = unsafe { &(*message.get()).bytes };
            assert_eq!(last_message().addr(), bytes.as_ptr().addr());
            assert_eq!(&bytes[..5], b"here\0");
        });
    }
}
