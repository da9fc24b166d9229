/* Another source file that includes the header and so has its own copy of the functions. */
#include <lmada_mpi.h>

#include <real.h>

lmada_status_t step_elsewhere(lmada_t *opt, real *params, const real *grads, size_t dim, MPI_Comm comm);
const char *last_error_elsewhere(void);

lmada_status_t step_elsewhere(lmada_t *opt, real *params, const real *grads, size_t dim, MPI_Comm comm)
{
#ifdef TEST_F64
    return lmada_mpi_step_f64(opt, params, grads, dim, comm);
#else
    return lmada_mpi_step(opt, params, grads, dim, comm);
#endif
}

const char *last_error_elsewhere(void) { return lmada_mpi_last_error(); }
