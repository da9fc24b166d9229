// Tests who frees the handle, and when. With the linker's --wrap, the functions below count calls of the library, so a
// leak or a double free shows without a sanitizer.

#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "check.hpp"

namespace {
int made = 0;
int freed = 0;
int alive() { return made - freed; }
}  // namespace

extern "C" {
lmada_status_t __real_lmada_create(const lmada_config_t* config, size_t dim, lmada_t** out);
lmada_status_t __real_lmada_create_blocks(const lmada_config_t* config, const size_t* dims, size_t count,
                                          lmada_t** out);
void __real_lmada_free(lmada_t* handle);

lmada_status_t __wrap_lmada_create(const lmada_config_t* config, size_t dim, lmada_t** out) {
    const lmada_status_t status = __real_lmada_create(config, dim, out);
    made += status == LMADA_OK;
    return status;
}
lmada_status_t __wrap_lmada_create_blocks(const lmada_config_t* config, const size_t* dims, size_t count,
                                          lmada_t** out) {
    const lmada_status_t status = __real_lmada_create_blocks(config, dims, count, out);
    made += status == LMADA_OK;
    return status;
}
void __wrap_lmada_free(lmada_t* handle) {
    freed += handle != nullptr;
    __real_lmada_free(handle);
}
}

namespace {

using optimizer = lmada::optimizer<float>;

template <class T>
constexpr bool owns_uniquely = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                               std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                               std::is_nothrow_destructible_v<T> && std::is_nothrow_swappable_v<T>;
static_assert(owns_uniquely<lmada::optimizer<float>>);
static_assert(owns_uniquely<lmada::optimizer<double>>);
static_assert(owns_uniquely<lmada::result<optimizer>>);
static_assert(sizeof(optimizer) == sizeof(lmada_t*), "a wrapper, nothing more");
static_assert(std::is_nothrow_default_constructible_v<lmada::config>);
static_assert(!std::is_convertible_v<std::size_t, optimizer>, "a number is not an optimizer");
static_assert(!std::is_constructible_v<optimizer, lmada_t*>, "nor is somebody's handle, of unknown type");
static_assert(!std::is_constructible_v<optimizer, lmada::optimizer<double>>);
static_assert(!std::is_convertible_v<optimizer, bool>);

// Checks that the handle works: one step parallel to (3, 4), with length lr.
bool works(optimizer& opt) {
    std::array<float, 2> params{1, 1};
    const std::array<float, 2> grads{3, 4};
    return opt.try_step(params, grads) && params[0] < 1 && params[1] < params[0];
}

void scope_frees() {
    {
        optimizer opt(2);
        CHECK(opt && opt.get() != nullptr && alive() == 1);
        CHECK(works(opt));
    }
    CHECK(alive() == 0);
}

void move_construction_hands_over() {
    optimizer first(2);
    lmada_t* const handle = first.get();
    optimizer second(std::move(first));
    CHECK(second.get() == handle && alive() == 1);
    CHECK(!first && first.get() == nullptr);
    CHECK(works(second));
    CHECK(first.try_reset().status() == lmada::status::null_pointer);
    CHECK_THROWS(first.reset(), lmada::status::null_pointer, "opt");
}

void move_assignment_frees_the_old_handle() {
    optimizer target(2);
    optimizer source(2);
    lmada_t* const handle = source.get();
    CHECK(alive() == 2);
    target = std::move(source);
    CHECK(alive() == 1);
    CHECK(target.get() == handle && !source);
    CHECK(works(target));

    source = optimizer(2);  // assigns to an optimizer that was moved from
    CHECK(alive() == 2 && works(source));
    target = std::move(source);
    target = std::move(source);  // from empty
    CHECK(alive() == 0 && !target);
}

void self_move_keeps_the_handle() {
    optimizer opt(2);
    optimizer& same = opt;
    lmada_t* const handle = opt.get();
    opt = std::move(same);
    CHECK(opt.get() == handle && alive() == 1);
    CHECK(works(opt));
}

void swap_swaps() {
    optimizer a(2);
    optimizer b(2);
    lmada_t* const handle = a.get();
    std::swap(a, b);
    CHECK(b.get() == handle && alive() == 2);
    std::swap(a, a);
    CHECK(a && works(a) && works(b));
}

void vectors_hold_them() {
    std::vector<optimizer> all;
    for (int i = 0; i < 9; ++i) all.emplace_back(2u);  // grows several times, which moves the optimizers
    CHECK(alive() == 9);
    CHECK(std::all_of(all.begin(), all.end(), works));
    all.erase(all.begin() + 2);
    CHECK(alive() == 8);
    std::rotate(all.begin(), all.begin() + 3, all.end());
    CHECK(std::all_of(all.begin(), all.end(), works));
    all.clear();
    CHECK(alive() == 0);
}

void release_gives_away() {
    optimizer opt(2);
    lmada_t* const handle = opt.release();
    CHECK(!opt && alive() == 1);
    opt = optimizer(2);
    CHECK(alive() == 2);
    lmada_free(handle);
    CHECK(alive() == 1);
}

void failures_leave_nothing() {
    lmada::config bad;
    bad.lr = -1;
    CHECK_THROWS(optimizer(2, bad), lmada::status::invalid_argument, "lr");
    CHECK(!optimizer::try_create(2, bad));
    CHECK(!optimizer::try_create_blocks({1, 1}, bad));
    CHECK(alive() == 0);
}

void results_own_and_hand_over() {
    {
        auto made_and_dropped = optimizer::try_create(2);
        CHECK(made_and_dropped && alive() == 1);
    }
    CHECK(alive() == 0);
    optimizer opt = *optimizer::try_create_blocks({2, 0});
    CHECK(alive() == 1 && works(opt));
    opt = optimizer::try_create(2).value();
    CHECK(alive() == 1 && works(opt));
    auto later = std::make_unique<optimizer>(std::move(opt));
    later.reset();
    CHECK(alive() == 0);
}

}  // namespace

int main() {
    for (auto test : {scope_frees, move_construction_hands_over, move_assignment_frees_the_old_handle,
                      self_move_keeps_the_handle, swap_swaps, vectors_hold_them, release_gives_away,
                      failures_leave_nothing, results_own_and_hand_over}) {
        test();
        CHECK(alive() == 0);
    }
    CHECK(made > 20);
}
