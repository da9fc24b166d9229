//! What is believed of a saved state, and what a slot is while nothing is stored in it.

use super::*;
use crate::config::HistoryFormat;
use crate::error::Error;

const LEN: usize = TILE + 300;
/// Entries of a column in the two tiles.
const KEPT: [usize; 2] = [41, 3];

fn window() -> Sparse<f32> {
    let config = Config { history_size: 2, history_format: HistoryFormat::Sparse, density: 0.01, ..Config::default() };
    let mut arena = Arena::new(<Sparse<f32> as Format<f32>>::room(&config, LEN), "a window").unwrap();
    Sparse::new(&config, LEN, &mut arena)
}

/// The bytes of a saved state with these numbers in it.
fn state(numbers: &[u16]) -> Vec<u8> {
    let mut counting = Writer::counting();
    counting.put_all(numbers);
    let mut bytes = vec![0; counting.finish()];
    let mut writer = Writer::new(&mut bytes);
    writer.put_all(numbers);
    writer.finish();
    bytes
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
    let good = state(&column());
    let mut reader = Reader::new(&good).unwrap();
    window.check(&mut reader.clone()).unwrap();
    window.load(1, &mut reader).unwrap();
    reader.finish().unwrap();
    let mut saved = vec![0; good.len()];
    let mut writer = Writer::new(&mut saved);
    window.save(1, &mut writer);
    writer.finish();
    assert_eq!(saved, good);
}

#[test]
fn a_column_that_was_never_stored_is_one_that_may_be() {
    let window = window();
    let empty = state(&[0; 2 * (KEPT[0] + KEPT[1])]);
    let mut reader = Reader::new(&empty).unwrap();
    window.check(&mut reader).unwrap();
    reader.finish().unwrap();
}

#[test]
fn what_no_column_can_hold_is_refused() {
    let window = window();
    let tile = 2 * KEPT[0];
    // Place and number: equal indices, descending ones, one beyond the tile; numbers that are not finite.
    let spoiled = [(1, 0), (3, 13), (40, 4096), (40, u16::MAX), (41, 0x7f80), (60, 0xff80), (81, 0x7fc0)];
    let in_short_tile = [(tile + 1, 5), (tile + 2, 300), (tile + 2, 4095), (tile + 5, 0x7f81)];
    for (place, number) in spoiled.into_iter().chain(in_short_tile) {
        let mut numbers = column();
        numbers[place] = number;
        let bytes = state(&numbers);
        let refused = window.check(&mut Reader::new(&bytes).unwrap());
        assert!(matches!(refused, Err(Error::BadState { .. })), "{number} at {place}");
    }
    // Zeros that stand for an empty column have no values.
    for place in [KEPT[0], tile - 1, tile + KEPT[1]] {
        let mut numbers = [0; 2 * (KEPT[0] + KEPT[1])];
        numbers[place] = 0x3f80;
        let bytes = state(&numbers);
        assert!(window.check(&mut Reader::new(&bytes).unwrap()).is_err(), "a value at {place}");
    }
    let short = state(&column()[1..]);
    assert!(window.check(&mut Reader::new(&short).unwrap()).is_err());
}

#[test]
fn feedback_is_finite() {
    let mut window = window();
    for bad in [None, Some(f32::NAN), Some(f32::INFINITY)] {
        window.feedback.fill(1.5);
        window.feedback[LEN - 1] = bad.unwrap_or(f32::MAX);
        let mut counting = Writer::counting();
        window.save_rest(&mut counting);
        let mut bytes = vec![0; counting.finish()];
        let mut writer = Writer::new(&mut bytes);
        window.save_rest(&mut writer);
        writer.finish();
        let mut reader = Reader::new(&bytes).unwrap();
        assert_eq!(window.check_rest(&mut reader.clone()).is_err(), bad.is_some());
        window.feedback.clear();
        window.load_rest(&mut reader).unwrap();
        assert_eq!(window.feedback[0], 1.5);
        reader.finish().unwrap();
    }
}
