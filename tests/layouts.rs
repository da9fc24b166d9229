//! The structs of the C interface have the same layout in Rust as in C. tests/abi/recorded/layouts.txt has the layouts
//! of the C compiler. A struct may have grown since; tests/abi then asks to record it again.

use lmada::capi::{lmada_config_t, lmada_group_t, lmada_stats_t};
use std::mem::{align_of, offset_of};

/// Describes a struct: size and alignment, and offset and size of each field.
macro_rules! layout {
    ($name:ident { $($field:ident),* $(,)? }) => {{
        fn sizes(value: &$name) -> Vec<(&'static str, usize, usize)> {
            let $name { $($field),*, .. } = value;
            vec![$((stringify!($field), offset_of!($name, $field), size_of_val($field))),*]
        }
        // SAFETY: all fields are numbers, for which zeros are a value.
        let fields = sizes(&unsafe { std::mem::zeroed() });
        (stringify!($name), size_of::<$name>(), align_of::<$name>(), fields)
    }};
}

#[test]
fn structs_are_laid_out_as_in_c() {
    let structs = [
        layout!(lmada_config_t {
            struct_size,
            // options: generated from src/config.rs by `make option-lists`
            dtype,
            history_size,
            history_format,
            density,
            lr,
            eps,
            eps_relative,
            power,
            eps_on_root,
            rank_tol,
            centered,
            history_decay,
            orthogonal_scale,
            momentum_kind,
            momentum,
            bias_correction,
            clip_kind,
            clip_norm,
            clip_factor,
            clip_beta,
            weight_decay,
            threads,
            diagonal_beta,
            diagonal_eps,
            grad_scale,
            grad_clip_norm,
            average_beta,
            // options: end
        }),
        layout!(lmada_stats_t {
            struct_size,
            steps,
            history_len,
            rank,
            grad_norm,
            update_norm,
            scale,
            eig_max,
            eig_min,
            state_bytes,
            lr,
            refused,
            non_finite_index,
        }),
        layout!(lmada_group_t { offset, len, lr_scale, weight_decay_scale }),
    ];
    let recorded = include_str!("abi/recorded/layouts.txt");
    let lines = |start: &str| recorded.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    assert_eq!(lines("struct ").len(), structs.len(), "a struct of the interface is not tested here");
    for (name, size, align, fields) in structs {
        // The last field has to end at the end of the struct: a field that is missing here shows.
        let end = fields.iter().map(|(_, offset, size)| offset + size).max().unwrap();
        assert_eq!(end.next_multiple_of(align), size, "a field of {name} is not tested here");
        let known = lines(&format!("field {name}."));
        let found: Vec<String> = fields
            .iter()
            .map(|(field, offset, size)| format!("field {name}.{field} offset {offset} size {size}"))
            .collect();
        assert!(known.len() <= found.len());
        assert_eq!(known, found[..known.len()]);
        if known.len() == found.len() {
            assert_eq!(lines(&format!("struct {name} ")), [format!("struct {name} size {size} align {align}")]);
        }
    }
}
