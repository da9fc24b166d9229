// Saved states as streams: the bytes of `save`, and streams and functions that fail.

#include <cstddef>
#include <cstring>
#include <fstream>
#include <ios>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"

namespace {

using lmada::status;

lmada::config busy_options() {
    lmada::config options;
    options.history_size = 5;
    options.momentum_kind = lmada::momentum::gradient;
    options.average_beta = 0.9;
    return options;
}

template <class T>
lmada::optimizer<T> stepped(std::vector<T>& params) {
    auto opt = lmada::optimizer<T>::create_blocks({900, 0, 100}, busy_options());
    check::noise noise;
    for (int step = 0; step < 7; ++step) opt.step(params, noise.vector<T>(1000));
    opt.set_lr(0.03);
    return opt;
}

template <class T>
std::string bytes_of(const lmada::optimizer<T>& opt) {
    const std::vector<std::byte> state = opt.save();
    std::string bytes(state.size(), ' ');
    std::memcpy(&bytes[0], state.data(), state.size());
    return bytes;
}

template <class T>
void a_stream_is_what_save_saves() {
    std::vector<T> params(1000, 1);
    lmada::optimizer<T> opt = stepped(params);
    std::ostringstream out;
    std::as_const(opt).write(out);
    CHECK(out.str() == bytes_of(opt));

    std::istringstream in(out.str() + "next");
    lmada::optimizer<T> resumed = lmada::optimizer<T>::from_state(in);
    std::string next;
    in >> next;
    CHECK(next == "next");  // no byte after the state is read
    CHECK(resumed.config().lr == 0.03 && resumed.config().average_beta == 0.9 && resumed.stats().steps == 7);
    std::vector<T> others = params;
    check::noise noise;
    for (int step = 0; step < 7; ++step) {
        const auto grads = noise.vector<T>(1000);
        opt.step(params, grads);
        resumed.step(others, grads);
    }
    CHECK(std::memcmp(params.data(), others.data(), 1000 * sizeof(T)) == 0);

    // The state of the other element type.
    using other = lmada::optimizer<std::conditional_t<sizeof(T) == 4, double, float>>;
    std::istringstream again(out.str());
    CHECK_THROWS(other::from_state(again), status::invalid_argument, "element type");
}

void streams_that_fail_say_so() {
    std::vector<float> params(1000, 1);
    const lmada::optimizer<float> opt = stepped(params);
    const std::string state = bytes_of(opt);
    std::ofstream nowhere("/nonexistent/folder/state", std::ios::binary);
    CHECK_THROWS(opt.write(nowhere), status::callback, "write");
    CHECK(opt.try_write(nowhere).status() == status::callback);
    std::istringstream cut(state.substr(0, state.size() - 1));
    CHECK_THROWS(lmada::optimizer<float>::from_state(cut), status::callback, "read");
    std::string damaged = state;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
    std::istringstream bad(damaged);
    CHECK(lmada::optimizer<float>::try_from_state(bad).status() == status::bad_state);

    // Streams that throw: the stream's exception reaches the caller, but not from a `try_` function.
    std::ostringstream out;
    out.setstate(std::ios::badbit);
    CHECK(opt.try_write(out).status() == status::callback);
    std::istringstream in;
    try {
        in.exceptions(std::ios::eofbit);
        lmada::optimizer<float>::from_state(in);
        CHECK(false);
    } catch (const std::ios_base::failure&) {
    }
    CHECK(lmada::optimizer<float>::try_from_state(in).status() == status::callback);
}

struct full : std::runtime_error {
    full() : std::runtime_error("full") {}
};

// A function that throws during the state: its exception reaches the caller, and the optimizer stays usable.
void exceptions_of_functions_come_out() {
    std::vector<float> params(1000, 1);
    lmada::optimizer<float> opt = stepped(params);
    const std::string state = bytes_of(opt);
    std::size_t taken = 0;
    const auto write = [&](lmada::span<const std::byte> piece) {
        taken += piece.size();
        if (taken > 5000) throw full();
        CHECK(opt.try_set_lr(1).status() == status::busy);
        return true;
    };
    bool caught = false;
    try {
        opt.write(write);
    } catch (const full&) {
        caught = true;
    }
    CHECK(caught && taken > 5000);
    taken = 0;
    CHECK(opt.try_write(write).status() == status::callback);
    opt.step(params, std::vector<float>(1000, 1));

    std::size_t given = 0;
    const auto read = [&](lmada::span<std::byte> piece) {
        if (given + piece.size() > 5000) throw full();
        std::memcpy(piece.data(), state.data() + given, piece.size());
        given += piece.size();
        return true;
    };
    caught = false;
    try {
        lmada::optimizer<float>::from_state(read);
    } catch (const full&) {
        caught = true;
    }
    CHECK(caught && given > 0);
    given = 0;
    CHECK(lmada::optimizer<float>::try_from_state(read).status() == status::callback);
    static_assert(noexcept(opt.try_write(write)) && noexcept(lmada::optimizer<float>::try_from_state(read)));
}

void no_handle_has_no_state() {
    lmada::optimizer<float> opt(2);
    const lmada::optimizer<float> moved = std::move(opt);
    std::ostringstream out;
    CHECK_THROWS(opt.write(out), status::null_pointer, "");
    CHECK(out.str().empty());
}

}  // namespace

int main() {
    a_stream_is_what_save_saves<float>();
    a_stream_is_what_save_saves<double>();
    streams_that_fail_say_so();
    exceptions_of_functions_come_out();
    no_handle_has_no_state();
}
