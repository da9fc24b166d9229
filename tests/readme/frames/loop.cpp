// What the blocks of C++ in docs/in-your-training-loop.md stand in: the names that they take as given. BLOCKS is a file
// with a function for each block, which begins with GIVEN, and TABLE its calls.
#include <lmada.hpp>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

// The model: an embedding, weights, biases, one after the other.
enum { EMBEDDING = 4, WEIGHTS = 6, BIASES = 2, STEPS = 200, BATCHES = 4 };
constexpr std::size_t dim = EMBEDDING + WEIGHTS + BIASES;

// The recommended options, an optimizer with them, the model.
#define GIVEN \
    [[maybe_unused]] lmada::config config = lmada::config::recommended(); \
    [[maybe_unused]] lmada::optimizer<float> opt(dim, config); \
    [[maybe_unused]] std::vector<float> params(dim), grads(dim);

// The loss of batch b has its minimum where all parameters are b + 1; they are 2.5 where the sum has its own.
static double loss(const std::vector<float>& w) {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += double(i + 1) * (w[i] - 2.5) * (w[i] - 2.5) / 2;
    return sum;
}

// Adds scale times the gradient of a batch's loss.
static void add_gradient(int batch, const std::vector<float>& w, std::vector<float>& gradient, float scale) {
    for (std::size_t i = 0; i < dim; ++i) gradient[i] += scale * float(i + 1) * (w[i] - float(batch + 1));
}

// Writes the gradient of the loss, times scale.
static void compute_gradient(const std::vector<float>& w, std::vector<float>& gradient, float scale) {
    for (std::size_t i = 0; i < dim; ++i) gradient[i] = scale * float(i + 1) * (w[i] - 2.5f);
}

// What is seen here of rounding to half precision: beyond 65,504 is infinity.
static float to_f16(float x) { return std::fabs(x) > 65504 ? std::copysign(INFINITY, x) : x; }

static float from_bf16(std::uint16_t x) {
    const std::uint32_t bits = std::uint32_t(x) << 16;
    float number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
}

static std::uint16_t to_bf16(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return std::uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void begin(int line) { std::printf("== %d\n", line); }

#include BLOCKS

int main() {
#include TABLE
}
