/* Trains models of every kind on fixed gradients, and writes or compares the final parameters.
 *
 *     trained features       prints the features of the processor that the library uses
 *     trained write FILE     trains, and writes the parameters
 *     trained compare FILE   trains, prints the distance to the parameters in the file, and fails if it is too large
 */
#include "model.h"

#include <math.h>

enum { DIM = 9000, STEPS = 12 };

static void features(void)
{
    __builtin_cpu_init();
    printf("avx2 %d fma %d f16c %d avx512f %d\n", !!__builtin_cpu_supports("avx2"), !!__builtin_cpu_supports("fma"),
           !!__builtin_cpu_supports("f16c"), !!__builtin_cpu_supports("avx512f"));
}

/* The promised precision of directions on both processors: 2e-6 for float, 1e-10 for double. With diagonal
 * preconditioning a stored number depends on a rounded root, so it may differ by a unit in the last place of the
 * format. */
static double tolerance(const lmada_config_t *config)
{
    const bool neighbours = config->diagonal_beta > 0 && config->history_format != LMADA_HISTORY_FULL;
    return neighbours ? 1e-3 : 2 * (REAL_DTYPE == LMADA_F32 ? 2e-6 : 1e-10);
}

static double norm_of_difference(const real *a, const real *b)
{
    double sum = 0;
    for (size_t i = 0; i < DIM; i++) {
        const double apart = (double)a[i] - (b ? (double)b[i] : 0);
        sum += apart * apart;
    }
    return sqrt(sum);
}

int main(int count, char **arguments)
{
    const bool write = count == 3 && strcmp(arguments[1], "write") == 0;
    FILE *file;
    double worst = 0;
    if (count == 2 && strcmp(arguments[1], "features") == 0) {
        features();
        return 0;
    }
    CHECK(count == 3 && (write || strcmp(arguments[1], "compare") == 0));
    file = fopen(arguments[2], write ? "wb" : "rb");
    CHECK(file);
    for (int number = 0; number < VARIANTS; number++) {
        const lmada_config_t config = variant(number);
        model m = new_model(&config, DIM);
        AT("variant %d", number);
        step_model(&m, 0, STEPS);
        if (write) {
            CHECK(fwrite(m.params, sizeof *m.params, DIM, file) == DIM);
        } else {
            real *other = zeros(DIM);
            double moved, apart;
            CHECK(fread(other, sizeof *other, DIM, file) == DIM);
            moved = norm_of_difference(m.params, NULL);
            apart = norm_of_difference(m.params, other);
            AT("variant %d: %g apart of %g moved", number, apart, moved);
            CHECK(moved > 0 && apart <= tolerance(&config) * moved);
            if (config.diagonal_beta == 0 && apart / moved > worst) worst = apart / moved;
            free(other);
        }
        free_model(&m);
    }
    CHECK(fclose(file) == 0);
    if (!write) printf("ends at most %.1e of the way moved from the other processor's\n", worst);
    return 0;
}
