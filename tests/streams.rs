//! Saved states through Rust's readers and writers, and the prediction of memory.

mod common;

use std::io::{self, ErrorKind, Read, Write};

use common::{Model, assert_same, every_kind_and_format, gradient};
use lmada::{Config, Element, Error, Optimizer, Value};

/// Reads and writes a few bytes at a time, with interruptions, as files may.
struct Trickle<'a> {
    from: &'a [u8],
    to: Vec<u8>,
    calls: usize,
}

impl Trickle<'_> {
    fn of(from: &[u8]) -> Trickle<'_> {
        Trickle { from, to: Vec::new(), calls: 0 }
    }

    fn most(&mut self) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) { Err(ErrorKind::Interrupted.into()) } else { Ok(self.calls % 7 + 1) }
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let most = self.most()?.min(target.len());
        self.from.read(&mut target[..most])
    }
}

impl Write for Trickle<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.most()?.min(bytes.len());
        self.to.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn streamed_runs_go_on<T: Element>() {
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        let dims = [&[3000usize, 0, 17][..], &[1024], &[5]][index % 3];
        for saved_after in [0, 3, 13] {
            let what = format!("{config:?} after {saved_after} steps");
            let mut kept = Model::<T>::new(&config, dims);
            (0..saved_after).for_each(|number| kept.step(number));
            kept.optimizer.set_lr(0.123).unwrap();
            let mut written = Trickle::of(&[]);
            kept.optimizer.state_write(&mut written).unwrap();
            assert!(written.to == kept.state(), "{what}: written otherwise than saved");

            let mut bytes = Trickle::of(&written.to);
            let optimizer = Optimizer::<T>::from_state(&mut bytes).unwrap();
            assert!(bytes.from.is_empty());
            let mut made = Model { optimizer, params: kept.params.clone() };
            assert!(made.optimizer.config() == kept.optimizer.config() && made.state() == written.to, "{what}");
            for number in saved_after..saved_after + 10 {
                kept.step(number);
                made.step(number);
            }
            assert_same(&kept, &made, &what);
        }
    }
}

#[test]
fn streamed_runs_go_on_f32() {
    streamed_runs_go_on::<f32>();
}

#[test]
fn streamed_runs_go_on_f64() {
    streamed_runs_go_on::<f64>();
}

/// Returns the error of a call that creates no optimizer.
fn refused<T: Element>(made: lmada::Result<Optimizer<T>>) -> Error {
    made.err().expect("no optimizer")
}

#[test]
fn what_fails_is_said() {
    let mut model = Model::<f32>::new(&Config::default().with_threads(1), &[300]);
    model.step(0);
    let state = model.state();
    let error = refused(Optimizer::<f32>::from_state(&state[..100]));
    assert!(matches!(error, Error::Callback { value: Value::Io(ErrorKind::UnexpectedEof), .. }), "{error}");
    assert_eq!(error.to_string(), "reader failed: unexpected end of file");
    let error = refused(Optimizer::<f64>::from_state(&state[..]));
    assert!(matches!(error, Error::InvalidArgument { .. }) && error.to_string().contains("dtype"), "{error}");
    let error = refused(Optimizer::<f32>::from_state(&b"something else"[..]));
    assert!(matches!(error, Error::BadState { .. }), "{error}");

    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = model.optimizer.state_write(Full).unwrap_err();
    assert!(matches!(error, Error::Callback { value: Value::Io(ErrorKind::StorageFull), .. }), "{error}");
    assert_eq!(error.to_string(), "writer failed: no storage space");
    assert!(model.state() == state);
    model.optimizer.begin().unwrap();
    let error = model.optimizer.state_write(io::sink()).unwrap_err();
    assert!(matches!(error, Error::WrongPhase { call: "state_write", .. }), "{error}");
}

#[test]
fn memory_is_that_of_an_optimizer() {
    for config in every_kind_and_format::<f32>() {
        for dims in [&[5usize][..], &[3000, 0, 17], &[0], &[200_000, 9000]] {
            for threads in [1, 3] {
                let config = config.with_threads(threads);
                let mut optimizer = Optimizer::<f32>::new(&config, dims).unwrap();
                let bytes = optimizer.stats().unwrap().state_bytes;
                assert_eq!(Optimizer::<f32>::memory(&config, dims).unwrap(), bytes, "{dims:?}, {config:?}");
            }
        }
    }
    let dims: Vec<usize> = gradient::<f64>(100, 3).into_iter().map(|x| (x.abs() * 1e4) as usize).collect();
    let mut optimizer = Optimizer::<f64>::new(&Config::recommended(), &dims).unwrap();
    let bytes = optimizer.stats().unwrap().state_bytes;
    assert_eq!(Optimizer::<f64>::memory(&Config::recommended(), &dims).unwrap(), bytes);
    for dims in [&[usize::MAX, 2][..], &[usize::MAX / 8]] {
        let error = Optimizer::<f32>::memory(&Config::default(), dims).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
    assert!(matches!(Optimizer::<f32>::memory(&Config::default(), &[]), Err(Error::InvalidArgument { .. })));
}
