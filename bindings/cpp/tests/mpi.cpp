// lmada.hpp with lmada_mpi.h: processes step like one optimizer over the complete model. Run under mpirun.

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <lmada_mpi.h>

#include "check.hpp"

namespace {

lmada_status_t mpi_step(lmada::optimizer<float>& opt, std::vector<float>& params, const std::vector<float>& grads) {
    return lmada_mpi_step(opt.get(), params.data(), grads.data(), grads.size(), MPI_COMM_WORLD);
}

lmada_status_t mpi_step(lmada::optimizer<double>& opt, std::vector<double>& params, const std::vector<double>& grads) {
    return lmada_mpi_step_f64(opt.get(), params.data(), grads.data(), grads.size(), MPI_COMM_WORLD);
}

template <class T>
void processes_step_as_one(int rank, int processes) {
    const std::size_t dim = 100;
    const std::size_t first = dim * static_cast<std::size_t>(rank) / static_cast<std::size_t>(processes);
    const std::size_t last = dim * static_cast<std::size_t>(rank + 1) / static_cast<std::size_t>(processes);
    lmada::config options;
    options.clip_kind = lmada::clip::ema_vector;
    auto opt = lmada::optimizer<T>::create_blocks({last - first}, options);
    lmada::optimizer<T> whole(dim, options);
    check::noise noise;
    std::vector<T> expected = noise.vector<T>(dim);
    const auto share = [&](const std::vector<T>& x) { return std::vector<T>(&x[0] + first, &x[0] + last); };
    std::vector<T> params = share(expected);
    for (int step = 0; step < 15; ++step) {
        const std::vector<T> grads = noise.vector<T>(dim);
        whole.step(expected, grads);
        CHECK(mpi_step(opt, params, share(grads)) == LMADA_OK);
    }
    const T most = 64 * std::numeric_limits<T>::epsilon();
    for (std::size_t i = first; i < last; ++i) CHECK(std::abs(params[i - first] - expected[i]) <= most);

    // A wrong length on one process is an error on all and changes nothing.
    const std::vector<std::byte> state = opt.save();
    std::vector<T> grads(params.size() + (rank == processes - 1));
    std::vector<T> others(grads.size());
    CHECK(mpi_step(opt, others, grads) == LMADA_ERROR_DIMENSION_MISMATCH);
    CHECK(check::contains(lmada_mpi_last_error(), ("process " + std::to_string(processes - 1)).c_str()));
    CHECK(opt.save() == state);
}

}  // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0;
    int processes = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &processes);
    CHECK(processes == 3);
    processes_step_as_one<float>(rank, processes);
    processes_step_as_one<double>(rank, processes);
    MPI_Finalize();
}
