//! Compiles kernels for each instruction set, and chooses the best when the program runs. A kernel is a loop that is
//! written once, on [`Lanes`](super::Lanes).

use once_cell::race::OnceRef;

/// Declares a table of kernels and compiles it for every instruction set.
///
/// ```text
/// kernels! {
///     /// What the table is for.
///     struct Table[T: Number] on Load<T>;
///
///     /// What the kernel does.
///     fn kernel(lanes, x: &[T]) -> f64 { ... }
/// }
/// ```
///
/// A kernel is a function of `lanes: L`, where `L` has the trait named after `on`, and of the arguments that callers
/// give. The macro makes:
///
/// - the generic function `kernel<L, T>(lanes, x)`, which other kernels may call;
/// - `struct Table<T>` with the `name` of an instruction set and a function pointer for each kernel, without `lanes`;
/// - `Table::<T>::available()`: the tables that the processor can run, the best first.
///
/// Kernels and all that they call are `#[inline(always)]`, so that the compiler translates them inside a function that
/// is compiled for the instruction set. For the same reason they contain no closures: a closure would be compiled for
/// the instruction set of the build.
macro_rules! kernels {
    (
        $(#[$about:meta])*
        struct $table:ident $generics:tt on $bound:path $(, on x86 also $extra:tt)?;
        $($kernels:tt)*
    ) => {
        $crate::simd::dispatch::declare_table! { [$(#[$about])*] $table $generics $($kernels)* }
        $crate::simd::dispatch::define_kernels! { $generics, $bound, $($kernels)* }
        #[cfg(target_arch = "x86_64")]
        $crate::simd::dispatch::define_available! {
            $table $generics $generics, $bound, { $($kernels)* }
            $($extra)?
            [$crate::simd::x86::Avx512, "avx512" "avx512f,popcnt,bmi1"]
            [$crate::simd::x86::Avx2, "avx2" "avx2,fma,f16c,popcnt,bmi1"]
            [$crate::simd::portable::Portable, "portable"]
        }
        #[cfg(target_arch = "aarch64")]
        $crate::simd::dispatch::define_available! {
            $table $generics $generics, $bound, { $($kernels)* }
            [$crate::simd::neon::Neon, "neon"]
            [$crate::simd::portable::Portable, "portable"]
        }
        #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
        $crate::simd::dispatch::define_available! {
            $table $generics $generics, $bound, { $($kernels)* }
            [$crate::simd::portable::Portable, "portable"]
        }
    };
}

/// The struct of a table.
macro_rules! declare_table {
    (
        [$(#[$about:meta])*] $table:ident [$($generic:ident: $of:path),*]
        $(
            $(#[$doc:meta])*
            fn $kernel:ident($lanes:ident $(, $argument:ident: $type:ty)* $(,)?) $(-> $result:ty)? $body:block
        )*
    ) => {
        $(#[$about])*
        #[doc(hidden)]
        pub struct $table<$($generic: $of + 'static),*> {
            /// Name of the instruction set.
            #[allow(dead_code, reason = "tests say with it which table failed")]
            pub name: &'static str,
            $($(#[$doc])* pub $kernel: fn($($argument: $type),*) $(-> $result)?,)*
        }
    };
}

/// The generic function of each kernel.
macro_rules! define_kernels {
    (
        $generics:tt, $bound:path,
        $(
            $(#[$doc:meta])*
            fn $kernel:ident($lanes:ident $(, $argument:ident: $type:ty)* $(,)?) $(-> $result:ty)? $body:block
        )*
    ) => {
        $(
            $crate::simd::dispatch::define_kernels! {
                @one $generics, $bound, fn $kernel($lanes $(, $argument: $type)*) $(-> $result)? $body
            }
        )*
    };
    (
        @one [$($generic:ident: $of:path),*], $bound:path,
        fn $kernel:ident($lanes:ident $(, $argument:ident: $type:ty)*) $(-> $result:ty)? $body:block
    ) => {
        #[inline(always)]
        fn $kernel<L: $bound $(, $generic: $of)*>($lanes: L $(, $argument: $type)*) $(-> $result)? $body
    };
}

/// `Table::available`, from a list of instruction sets: type, name, and features unless they are those of the build.
macro_rules! define_available {
    (
        $table:ident [$($generic:ident: $of:path),*] $generics:tt, $bound:path, $kernels:tt
        $([$set:path, $name:literal $($features:literal)?])+
    ) => {
        impl<$($generic: $of),*> $table<$($generic),*> {
            /// The tables that this machine can run, the best first.
            pub(crate) fn available() -> impl Iterator<Item = &'static Self>
            where
                $($set: $bound),+
            {
                let tables = [$(
                    <$set>::is_available().then_some(const {
                        $crate::simd::dispatch::compile_table! { $generics, $bound, $set, $name [$($features)?] $kernels }
                    })
                ),+];
                tables.into_iter().flatten()
            }
        }
    };
}

/// A table, compiled for one instruction set.
macro_rules! compile_table {
    (
        $generics:tt, $bound:path, $set:path, $name:literal $features:tt
        {$(
            $(#[$doc:meta])*
            fn $kernel:ident($lanes:ident $(, $argument:ident: $type:ty)* $(,)?) $(-> $result:ty)? $body:block
        )*}
    ) => {
        &Self {
            name: $name,
            $($kernel: $crate::simd::dispatch::compile_kernel! {
                $generics, $bound, $set, $features $kernel($($argument: $type),*) $(-> $result)?
            },)*
        }
    };
}

/// A kernel, compiled for one instruction set.
macro_rules! compile_kernel {
    (
        [$($generic:ident: $of:path),*], $bound:path, $set:path, []
        $kernel:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?
    ) => {{
        fn compiled<$($generic: $of),*>($($argument: $type),*) $(-> $result)?
        where
            $set: $bound,
        {
            // SAFETY: the build may use the instruction set.
            $kernel::<$set, $($generic),*>(unsafe { <$set>::new() }, $($argument),*)
        }
        compiled::<$($generic),*>
    }};
    (
        [$($generic:ident: $of:path),*], $bound:path, $set:path, [$features:literal]
        $kernel:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?
    ) => {{
        fn checked<$($generic: $of),*>($($argument: $type),*) $(-> $result)?
        where
            $set: $bound,
        {
            #[target_feature(enable = $features)]
            fn compiled<$($generic: $of),*>($($argument: $type),*) $(-> $result)?
            where
                $set: $bound,
            {
                // SAFETY: this function has the features.
                $kernel::<$set, $($generic),*>(unsafe { <$set>::new() }, $($argument),*)
            }
            // SAFETY: `available` returns this table only where `is_available` found the features.
            unsafe { compiled::<$($generic),*>($($argument),*) }
        }
        checked::<$($generic),*>
    }};
}

/// The best table of a type without type parameters: `best!(Table<f32>)`.
macro_rules! best {
    ($table:ty) => {{
        static BEST: once_cell::race::OnceRef<'static, $table> = once_cell::race::OnceRef::new();
        $crate::simd::dispatch::first(&BEST, <$table>::available)
    }};
}

/// The first of the available tables. The search is done once: the instruction sets of a processor do not change.
pub(crate) fn first<T: Sync, A: Iterator<Item = &'static T>>(
    found: &OnceRef<'static, T>,
    available: impl FnOnce() -> A,
) -> &'static T {
    found.get_or_init(|| available().next().unwrap_or_else(|| unreachable!("the portable kernels run everywhere")))
}

pub(crate) use {best, compile_kernel, compile_table, declare_table, define_available, define_kernels, kernels};
