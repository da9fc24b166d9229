// The test functions that these tests need. The checks also run in optimised builds.

#ifndef LMADA_TESTS_CHECK_HPP
#define LMADA_TESTS_CHECK_HPP

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <lmada.hpp>

#define CHECK(condition) check::that(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
// Checks that the expression throws an lmada::error of this status, whose message has these words.
#ifdef LMADA_HPP_THROWS
#define CHECK_THROWS(expression, wanted, words) \
    check::throws([&] { static_cast<void>(expression); }, wanted, words, #expression, __FILE__, __LINE__)
#endif

namespace check {

inline void that(bool good, const char* what, const char* file, int line) {
    if (good) return;
    std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    std::exit(1);
}

inline bool contains(const char* text, const char* words) {
    return std::string(text).find(words) != std::string::npos;
}

#ifdef LMADA_HPP_THROWS
template <class Call>
void throws(Call call, lmada::status wanted, const char* words, const char* what, const char* file, int line) {
    try {
        call();
    } catch (const lmada::error& failure) {
        if (failure.status() == wanted && contains(failure.what(), words)) return;
        std::fprintf(stderr, "%s:%d: %s threw %s, \"%s\"\n", file, line, what, lmada::to_string(failure.status()),
                     failure.what());
        std::exit(1);
    }
    that(false, what, file, line);
}
#endif

// Gradients that differ from step to step and are the same on every machine: a linear congruential generator.
class noise {
public:
    template <class T>
    std::vector<T> vector(std::size_t length) {
        std::vector<T> values(length);
        for (T& value : values) {
            state_ = state_ * 6364136223846793005u + 1442695040888963407u;
            value = static_cast<T>(static_cast<double>(state_ >> 11) / 9007199254740992.0 - 0.5);
        }
        return values;
    }

private:
    unsigned long long state_ = 1;
};

}  // namespace check

#endif  // LMADA_TESTS_CHECK_HPP
