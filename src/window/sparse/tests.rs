//! What is believed of a saved state, and what a slot is while nothing is stored in it.

use super::*;
use crate::checkpoint::{PRELUDE, Runs, source_of};
use crate::config::HistoryFormat;
use crate::error::Error;

const LEN: usize = TILE + 300;
/// Entries of a column in the two tiles.
const KEPT: [usize; 2] = [41, 3];

fn window() -> Sparse<f32> {
    let config = Config { history_size: 2, history_format: HistoryFormat::Sparse, density: 0.01, ..Config::default() };
    let mut arena = Arena::new(<Sparse<f32> as Format<f32>>::arena_bytes(&config, LEN), "a window").unwrap();
    Sparse::new(&config, LEN, &mut arena)
}

/// What is written of a state.
fn saved(save: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    let mut writer = Writer::new(&mut sink).unwrap();
    save(&mut writer).unwrap();
    writer.finish().unwrap();
    bytes[PRELUDE..].to_vec()
}

/// Loads bytes in each of the ways there are: what is only checked changes nothing, and a stream is refused if and only
/// if the check refuses. Returns what the check says.
fn load(
    window: &mut Sparse<f32>,
    bytes: &[u8],
    load: impl Fn(&mut Sparse<f32>, &mut Reader<'_>) -> Result<()>,
) -> Result<()> {
    let all = |window: &Sparse<f32>| {
        saved(|writer| {
            (0..2).try_for_each(|slot| window.save(slot, writer))?;
            window.save_rest(writer)
        })
    };
    let before = all(window);
    let mut reader = Reader::Checking(Runs::one(bytes));
    let checked = load(window, &mut reader);
    assert!(all(window) == before, "a check changed something");
    if checked.is_ok() {
        reader.finish().unwrap();
        let mut reader = Reader::Checked(Runs::one(bytes));
        load(window, &mut reader).unwrap();
        reader.finish().unwrap();
    }
    let mut rest = bytes;
    let mut source = source_of(&mut rest);
    let mut other = self::window();
    let streamed = load(&mut other, &mut Reader::Streaming(&mut source));
    assert_eq!(streamed.is_ok(), checked.is_ok());
    if checked.is_ok() {
        assert!(all(&other) == all(window), "a stream loads something else");
    }
    checked
}

fn load_column(window: &mut Sparse<f32>, numbers: &[u16]) -> Result<()> {
    load(window, as_bytes(numbers), |window, reader| window.load(1, reader))
}

/// A column that may be: ascending indices up to the last, values of every kind.
fn column() -> Vec<u16> {
    let mut numbers: Vec<u16> = (0..KEPT[0] as u16 - 1).map(|index| index * 7).collect();
    numbers.push(4095);
    numbers.extend((0..KEPT[0] as u16).map(|value| [0, 0x8000, 0x7f7f, 0xff7f, 1][value as usize % 5]));
    numbers.extend([5, 6, 299, 0x3f80, 0, 0xbf80]);
    numbers
}

#[test]
fn columns_are_checked_and_loaded() {
    let mut window = window();
    load_column(&mut window, &column()).unwrap();
    assert_eq!(saved(|writer| window.save(1, writer)), as_bytes(&column()));
}

#[test]
fn a_column_that_was_never_stored_is_one_that_may_be() {
    load_column(&mut window(), &[0; 2 * (KEPT[0] + KEPT[1])]).unwrap();
}

#[test]
fn what_no_column_can_hold_is_refused() {
    let mut window = window();
    let tile = 2 * KEPT[0];
    // Place and number: equal indices, descending ones, one beyond the tile; numbers that are not finite.
    let spoiled = [(1, 0), (3, 13), (40, 4096), (40, u16::MAX), (41, 0x7f80), (60, 0xff80), (81, 0x7fc0)];
    let in_short_tile = [(tile + 1, 5), (tile + 2, 300), (tile + 2, 4095), (tile + 5, 0x7f81)];
    for (place, number) in spoiled.into_iter().chain(in_short_tile) {
        let mut numbers = column();
        numbers[place] = number;
        let refused = load_column(&mut window, &numbers);
        assert!(matches!(refused, Err(Error::BadState { .. })), "{number} at {place}");
    }
    // Zeros that stand for an empty column have no values.
    for place in [KEPT[0], tile - 1, tile + KEPT[1]] {
        let mut numbers = [0; 2 * (KEPT[0] + KEPT[1])];
        numbers[place] = 0x3f80;
        assert!(load_column(&mut window, &numbers).is_err(), "a value at {place}");
    }
    assert!(load_column(&mut window, &column()[1..]).is_err());
}

#[test]
fn feedback_is_finite() {
    let mut window = window();
    for bad in [None, Some(f32::NAN), Some(f32::INFINITY)] {
        window.feedback.fill(1.5);
        window.feedback[LEN - 1] = bad.unwrap_or(f32::MAX);
        let bytes = saved(|writer| window.save_rest(writer));
        window.feedback.clear();
        let loaded = load(&mut window, &bytes, |window, reader| window.load_rest(reader));
        assert_eq!(loaded.is_err(), bad.is_some());
        assert_eq!(window.feedback[0], if bad.is_some() { 0.0 } else { 1.5 });
    }
}
