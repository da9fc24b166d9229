//! Tests of the pool on Linux: signals, fork, affinity of workers, and their end.

use std::path::Path;

use super::*;

fn thread_id() -> libc::pid_t {
    // SAFETY: no preconditions.
    unsafe { libc::gettid() }
}

fn thread_ids(pool: &mut Pool) -> Vec<libc::pid_t> {
    ids(pool, thread_id)
}

#[test]
fn dropping_ends_the_workers() {
    let mut pool = pool(4);
    let ids = thread_ids(&mut pool);
    let alive = |id: libc::pid_t| Path::new(&format!("/proc/self/task/{id}")).exists();
    assert!(ids.iter().all(|&id| alive(id)));
    drop(pool);
    // The kernel wakes the joining thread a moment before it removes the entry.
    wait_until(|| !ids[1..].iter().any(|&id| alive(id)));
}

#[test]
fn workers_take_no_signals() {
    let mask_of = |id: libc::pid_t| {
        let status = std::fs::read_to_string(format!("/proc/self/task/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let before = mask_of(thread_id());
    let mut pool = pool(3);
    let ids = thread_ids(&mut pool);
    assert_eq!(mask_of(ids[0]), before);
    for &id in &ids[1..] {
        let mask = mask_of(id);
        let blocks = |signal: libc::c_int| mask >> (signal - 1) & 1 == 1;
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGCHLD, libc::SIGALRM, libc::SIGPROF, libc::SIGUSR1] {
            assert!(blocks(signal), "{signal} is open in {mask:x}");
        }
        assert!(!blocks(libc::SIGSEGV));
    }
}

/// Runs `child` in a forked process and returns its exit status; fails where it takes more than [`PATIENCE`].
fn in_child(child: impl FnOnce() -> bool) -> libc::c_int {
    // SAFETY: the child runs `child` and always leaves with `_exit`. The functions that it uses of the C library work
    // in the child of a process with threads (glibc resets malloc's locks).
    let id = unsafe { libc::fork() };
    assert!(id >= 0);
    if id == 0 {
        let good = catch_unwind(AssertUnwindSafe(child)).unwrap_or(false);
        // SAFETY: ends the child without running the test harness's destructors.
        unsafe { libc::_exit(if good { 0 } else { 1 }) };
    }
    let start = Instant::now();
    let mut status = 0;
    // SAFETY: `id` is a child of this process, and `status` is valid for writing.
    while unsafe { libc::waitpid(id, &mut status, libc::WNOHANG) } == 0 {
        if start.elapsed() > PATIENCE {
            // SAFETY: as above.
            unsafe { libc::kill(id, libc::SIGKILL) };
            panic!("the child hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    status
}

#[test]
fn a_forked_child_has_workers_of_its_own() {
    let mut pool = pool(3);
    let parent = thread_ids(&mut pool);
    let status = in_child(|| {
        let child = thread_ids(&mut pool);
        let again = thread_ids(&mut pool);
        let mut sorted = (child.clone(), again);
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        let grandchild = in_child(|| thread_ids(&mut pool).len() == 3);
        child.iter().all(|id| !parent.contains(id)) && sorted.0 == sorted.1 && grandchild == 0
    });
    assert_eq!(status, 0);
    assert_eq!(thread_ids(&mut pool).len(), 3);
}

#[test]
fn a_forked_child_finds_no_lock_taken() {
    let home = home();
    let (mut first, second) = (pool_at(home, 3), std::sync::Mutex::new(Some(pool_at(home, 3))));
    let (arrived, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let caller = thread_id();
    // The fork happens while the workers work and another thread holds the lock of the pool. The child has neither
    // thread.
    first.for_each(3, Order::Forward, &mut [(); 3], &mut [(); 3], |_, (), ()| {
        arrived.fetch_add(1, Ordering::Relaxed);
        wait_until(|| arrived.load(Ordering::Relaxed) == 3);
        if thread_id() != caller {
            wait_until(|| over.load(Ordering::Relaxed));
            return;
        }
        let held = home.hold();
        let mut second = second.lock().unwrap();
        let used = in_child(|| {
            thread_ids(second.as_mut().unwrap()).len() == 3 && thread_ids(&mut pool_at(home, 5)).len() == 5
        });
        let dropped = in_child(|| second.take().is_some() && thread_ids(&mut pool_at(home, 2)).len() == 2);
        drop(held);
        over.store(true, Ordering::Relaxed);
        assert_eq!((used, dropped), (0, 0));
    });
    assert_eq!(thread_ids(&mut first).len(), 3);
}

#[test]
fn a_child_without_threads_works_alone() {
    let mut pool = pool(3);
    let status = in_child(|| {
        // There is no address space for another stack. The C library keeps stacks of ended threads: the first pools use
        // them.
        let mut others = Vec::with_capacity(10_000);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the limit is a valid value, and holds in this child only.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &none) };
        while others.len() < 10_000 {
            others.push(pool_at(home(), 2));
            if others.last().is_some_and(|other| other.workers() == 0) {
                break;
            }
        }
        let mut order = [[0; 10]];
        pool.for_each(3, Order::Forward, &mut [(); 10], &mut order, |index, (), order| order[index] = index + 1);
        let mut alone = [false; 10];
        pool.for_each(3, Order::Forward, &mut alone, &mut [(); 3], |_, alone, ()| *alone = !on_worker());
        others.len() < 10_000 && alone == [true; 10] && order[0] == core::array::from_fn(|index| index + 1)
    });
    assert_eq!(status, 0);
}

#[test]
fn workers_run_on_the_processors_of_their_caller() {
    let home = home();
    let all = Affinity::current().unwrap();
    let one = all.first();
    let pinned = std::thread::spawn(move || {
        one.take_on();
        (pool_at(home, 3), usable_threads(0))
    });
    let (mut pool, usable) = pinned.join().unwrap();
    assert_eq!(usable, usable_threads(0), "a thread of one processor was asked for one of all");
    for expected in [all, one, all] {
        expected.take_on();
        let arrived = AtomicUsize::new(0);
        let mut places = [None; 3];
        pool.for_each(3, Order::Forward, &mut places, &mut [(); 3], |_, place, ()| {
            arrived.fetch_add(1, Ordering::Relaxed);
            wait_until(|| arrived.load(Ordering::Relaxed) == 3);
            *place = Affinity::current();
        });
        assert!(places == [Some(expected); 3]);
    }
    assert_eq!(all.processors(1), 1);
    // The real number of processors, unlike in the other tests.
    pool.processors = 1;
    one.take_on();
    let mut alone = [false; 100];
    pool.for_each(3, Order::Forward, &mut alone, &mut [(); 3], |_, alone, ()| *alone = !on_worker());
    assert_eq!(alone, [true; 100]);
}
