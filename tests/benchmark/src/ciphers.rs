//! What TLS cannot do without: each byte is decrypted once and encrypted once.

use std::error::Error;
use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use nix::sys::resource::{UsageWho, getrusage};

/// Bytes in the largest record of TLS.
const RECORD_BYTES: usize = 16 << 10;

/// Records that lie in memory at once: a megabyte, as in a copy.
const RECORDS: usize = 64;

const KEY: [u8; 16] = [7; 16];

/// Processor time for encrypting so many bytes and decrypting them again, in whole records, by the library
/// and the cipher that the connections use. Nothing is sent.
pub(crate) fn both_ways(bytes: usize) -> Result<Duration, Box<dyn Error>> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &KEY)?);
    let mut records = vec![vec![0_u8; RECORD_BYTES]; RECORDS];
    let begun = thread_time()?;
    for number in 0..bytes.div_ceil(RECORD_BYTES) {
        let record = &mut records[number % RECORDS];
        let mut nonce = [0; NONCE_LEN];
        nonce[..size_of::<usize>()].copy_from_slice(&number.to_le_bytes());
        let nonce = || Nonce::assume_unique_for_key(nonce);
        record.truncate(RECORD_BYTES);
        key.seal_in_place_append_tag(nonce(), Aad::empty(), record)?;
        key.open_in_place(nonce(), Aad::empty(), record)?;
    }
    Ok(thread_time()?.saturating_sub(begun))
}

fn thread_time() -> nix::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let micros = [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_opened_again() {
        both_ways(3 * RECORDS * RECORD_BYTES / 2).unwrap();
    }
}
