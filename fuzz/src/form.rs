//! The saved form of version 3: magic, version, number of options, the options (8 bytes each), steps, averaged steps,
//! number of blocks, number of groups; lengths of the blocks, weights of the columns, groups; the contents. After each
//! of these three parts follows a CRC-32 of all bytes so far without the checksums.

pub const MAGIC: &[u8; 8] = b"lmada\0st";
pub const VERSION: core::ops::Range<usize> = 8..12;
pub const COUNT: core::ops::Range<usize> = 12..16;
pub const OPTIONS: usize = 16;
const CHECKSUM: usize = 4;
/// Indices of options.
const LR: usize = 4;
const THREADS: usize = 21;
/// The options that averages depend on: momentum, bias_correction, clip_beta, diagonal_beta, average_beta.
const AVERAGING: [usize; 5] = [14, 15, 19, 22, 26];

/// Returns the ends of the three parts of an undamaged state. A checksum follows each.
pub fn part_ends(state: &[u8]) -> [usize; 3] {
    let options = u32::from_le_bytes(state[COUNT].try_into().expect("4 bytes")) as usize;
    let head = OPTIONS + 8 * options + 32;
    let word = |at: usize| u64::from_le_bytes(state[at..at + 8].try_into().expect("8 bytes")) as usize;
    let (blocks, history_size, groups) = (word(head - 16), word(OPTIONS + 8), word(head - 8));
    [head, head + CHECKSUM + 8 * (blocks + history_size + 4 * groups), state.len() - CHECKSUM]
}

/// Returns the parts of a state that a handle loads: everything but the options (except the learning rate) and the
/// checksums.
pub fn loaded(state: &[u8]) -> [&[u8]; 4] {
    let [head, lens, contents] = part_ends(state);
    let rate = OPTIONS + 8 * LR;
    [&state[rate..rate + 8], &state[head - 32..head], &state[head + CHECKSUM..lens], &state[lens + CHECKSUM..contents]]
}

/// Whether two states agree in the options that averages depend on. A load adapts averages to other betas.
pub fn average_alike(a: &[u8], b: &[u8]) -> bool {
    let option = |state: &[u8], number: usize| state[OPTIONS + 8 * number..][..8].to_vec();
    AVERAGING.iter().all(|&number| option(a, number) == option(b, number))
}

/// Writes matching checksums at the ends of the parts.
pub fn seal(state: &mut [u8], ends: [usize; 3]) {
    let mut covered = Vec::new();
    let mut start = 0;
    for end in [ends[0], ends[1], state.len().saturating_sub(CHECKSUM)] {
        if start <= end && end + CHECKSUM <= state.len() {
            covered.extend_from_slice(&state[start..end]);
            state[end..end + CHECKSUM].copy_from_slice(&crc32(&covered).to_le_bytes());
            start = end + CHECKSUM;
        }
    }
}

/// Returns an undamaged state without the number of threads and the checksums that depend on it.
pub fn without_threads(mut state: Vec<u8>) -> Vec<u8> {
    for end in part_ends(&state) {
        state[end..end + CHECKSUM].fill(0);
    }
    state[OPTIONS + 8 * THREADS..][..8].fill(0);
    state
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ (if crc & 1 == 1 { 0xedb8_8320 } else { 0 });
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| crc >> 8 ^ CRC_TABLE[usize::from(crc as u8 ^ byte)])
}
