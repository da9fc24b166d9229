#include <lmada.h>
#include <stdio.h>

int main(void) {
    float w[2] = {3, -2}, g[2];
    lmada_t *opt;
    if (lmada_create(NULL, 2, &opt) != LMADA_OK) return fprintf(stderr, "%s\n", lmada_last_error());
    for (int i = 0; i < 500; i++) {
        g[0] = w[0], g[1] = 10 * w[1];
        if (lmada_step(opt, w, g, 2) != LMADA_OK) return fprintf(stderr, "%s\n", lmada_last_error());
    }
    lmada_free(opt);
    printf("%s %s\n", lmada_version(), w[0] * w[0] + w[1] * w[1] < 2 ? "fell" : "did not fall");
}
