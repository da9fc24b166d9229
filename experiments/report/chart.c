/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "chart.h"

#include <math.h>

#include "support.h"
#include "svg.h"

/* Geometry, in pixels. */
enum {
    PLOT_WIDTH = 320,
    PLOT_HEIGHT = 210,
    MARGIN_LEFT = 64,
    MARGIN_RIGHT = 16,
    MARGIN_TOP = 40,
    LEGEND_TOP = 52, /* below the plot */
    LEGEND_LINE = 17,
    PANEL_WIDTH = MARGIN_LEFT + PLOT_WIDTH + MARGIN_RIGHT,
    TITLE_HEIGHT = 30,
};

/* Colours of Okabe and Ito (2008); dashes and widths tell the curves apart in greyscale. */
static const struct style {
    const char *colour, *dashes;
    double width;
} styles[MOST_CURVES] = {
    {"#d55e00", "none", 2.8}, {"#e69f00", "9 4", 2},        {"#0072b2", "none", 1.6},
    {"#009e73", "2 3", 2},    {"#000000", "10 3 2 3", 1.6}, {"#cc79a7", "5 3", 1.6},
};

/* The part of the plane that a panel shows; logarithms where its axis is logarithmic. */
struct frame {
    double left, x_low, x_high, y_low, y_high;
    bool log_x;
};

static double x_of(const struct frame *frame, double x) {
    double at = frame->log_x ? log10(x) : x;
    return frame->left + PLOT_WIDTH * (at - frame->x_low) / (frame->x_high - frame->x_low);
}

/* A value of many decades too much would be a coordinate that viewers cannot hold. */
static double y_of(const struct frame *frame, double y) {
    double height = frame->y_high - frame->y_low;
    double at = fmin(fmax(log10(y), frame->y_low - height), frame->y_high + height);
    return MARGIN_TOP + PLOT_HEIGHT * (frame->y_high - at) / height;
}

static struct frame frame_new(const struct panel *panel, double left) {
    double x_low = INFINITY, x_high = -INFINITY, low = INFINITY;
    for (size_t c = 0; c < panel->curve_count; c++)
        for (size_t i = 0; i < panel->curves[c].count; i++) {
            const struct curve *curve = panel->curves + c;
            x_low = fmin(x_low, curve->x[i]);
            x_high = fmax(x_high, curve->x[i]);
            if (isfinite(curve->y[i])) low = fmin(low, curve->has_band ? curve->least[i] : curve->y[i]);
        }
    if (!(low > 0 && low < panel->top && x_low < x_high)) fail("%s: nothing that the axes can show", panel->title);
    struct frame frame = {left, x_low, x_high, log10(low) - 0.05, log10(panel->top), panel->log_x};
    if (frame.log_x) {
        frame.x_low = log10(x_low);
        frame.x_high = log10(x_high);
    }
    return frame;
}

/* A round distance (1, 2 or 5 times a power of ten) that cuts the axis into four to nine parts. */
static double tick_distance(double length) {
    double power = pow(10, floor(log10(length / 4)));
    double parts = length / 4 / power;
    return power * (parts >= 5 ? 5 : parts >= 2 ? 2 : 1);
}

static void draw_x_tick(FILE *file, const struct frame *frame, double x) {
    char label[32];
    double bottom = MARGIN_TOP + PLOT_HEIGHT;
    snprintf(label, sizeof label, "%g", x);
    svg_line(file, x_of(frame, x), bottom, x_of(frame, x), bottom + 5, "#444", 1);
    svg_text(file, x_of(frame, x), bottom + 18, "middle", 11, label);
}

static void draw_x_axis(FILE *file, const struct frame *frame, const char *label) {
    if (frame->log_x) {
        for (int power = (int)ceil(frame->x_low - 1e-9); power <= frame->x_high + 1e-9; power++)
            draw_x_tick(file, frame, pow(10, power));
    } else {
        double distance = tick_distance(frame->x_high - frame->x_low);
        for (double tick = ceil(frame->x_low / distance); tick * distance <= frame->x_high * 1.000001; tick++)
            draw_x_tick(file, frame, tick * distance);
    }
    svg_text(file, frame->left + PLOT_WIDTH / 2.0, MARGIN_TOP + PLOT_HEIGHT + 36, "middle", 12, label);
}

/* A line for each power of ten, or every second, third ... where they are many; 2 and 5 times it where they are few. */
static void draw_y_axis(FILE *file, const struct frame *frame, const char *label_of_axis) {
    static const int multiples[] = {1, 2, 5};
    double decades = frame->y_high - frame->y_low;
    size_t used = decades < 2 ? 3 : 1;
    int apart = 1 + (int)(decades / 9);
    for (int power = (int)floor(frame->y_low); power <= (int)ceil(frame->y_high); power++) {
        for (size_t m = 0; m < used && power % apart == 0; m++) {
            char label[32];
            double at = power + log10(multiples[m]);
            if (at < frame->y_low || at > frame->y_high) continue;
            snprintf(label, sizeof label, "%g", multiples[m] * pow(10, power));
            double y = y_of(frame, pow(10, at));
            svg_line(file, frame->left, y, frame->left + PLOT_WIDTH, y, "#ddd", 1);
            svg_text(file, frame->left - 6, y + 4, "end", 11, label);
        }
    }
    fprintf(file, "<g transform=\"translate(%.1f %.1f) rotate(-90)\">", frame->left - 50,
            MARGIN_TOP + PLOT_HEIGHT / 2.0);
    svg_text(file, 0, 0, "middle", 12, label_of_axis);
    fputs("</g>\n", file);
}

static void stroke(FILE *file, const struct style *style) {
    fprintf(file, "fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\" stroke-dasharray=\"%s\" stroke-linejoin=\"round\"",
            style->colour, style->width, style->dashes);
}

static void point(FILE *file, const struct frame *frame, double x, double y) {
    fprintf(file, "%.1f,%.1f ", x_of(frame, x) - frame->left, y_of(frame, y));
}

static void draw_band(FILE *file, const struct frame *frame, const struct curve *curve, const struct style *style) {
    size_t count = 0;
    while (count < curve->count && isfinite(curve->most[count])) count++;
    fprintf(file, "<polygon clip-path=\"url(#plot)\" fill=\"%s\" fill-opacity=\"0.15\" points=\"", style->colour);
    for (size_t i = 0; i < count; i++) point(file, frame, curve->x[i], curve->least[i]);
    for (size_t i = count; i-- > 0;) point(file, frame, curve->x[i], curve->most[i]);
    fputs("\"/>\n", file);
}

static void draw_curve(FILE *file, const struct frame *frame, const struct curve *curve, const struct style *style) {
    fputs("<polyline clip-path=\"url(#plot)\" ", file);
    stroke(file, style);
    fputs(" points=\"", file);
    for (size_t i = 0; i < curve->count; i++)
        if (isfinite(curve->y[i])) point(file, frame, curve->x[i], curve->y[i]);
    fputs("\"/>\n", file);
}

static void draw_panel(FILE *file, const struct panel *panel, size_t column, double down) {
    struct frame frame = frame_new(panel, PANEL_WIDTH * (double)column + MARGIN_LEFT);
    fprintf(file, "<g transform=\"translate(0 %.1f)\">\n", down);
    draw_y_axis(file, &frame, panel->y_label);
    draw_x_axis(file, &frame, panel->x_label);
    fprintf(file, "<g transform=\"translate(%.1f 0)\">\n", frame.left);
    /* In reverse, so that the first curve lies on top. */
    for (size_t c = panel->curve_count; c-- > 0;) {
        if (panel->curves[c].has_band) draw_band(file, &frame, panel->curves + c, styles + c);
        draw_curve(file, &frame, panel->curves + c, styles + c);
    }
    fputs("</g>\n", file);
    fprintf(file, "<rect x=\"%.1f\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#444\"/>\n", frame.left,
            MARGIN_TOP, PLOT_WIDTH, PLOT_HEIGHT);
    svg_text(file, frame.left + PLOT_WIDTH / 2.0, MARGIN_TOP - 10, "middle", 14, panel->title);
    for (size_t c = 0; c < panel->curve_count; c++) {
        double y = MARGIN_TOP + PLOT_HEIGHT + LEGEND_TOP + LEGEND_LINE * (double)c;
        fprintf(file, "<path d=\"M%.1f %.1fh40\" ", frame.left + 20, y);
        stroke(file, styles + c);
        fputs("/>\n", file);
        svg_text(file, frame.left + 68, y + 4, "start", 12, panel->curves[c].label);
    }
    fputs("</g>\n", file);
}

void chart_write(const char *path, const char *title, const struct panel *panels, size_t count, size_t columns) {
    size_t legend_lines = 0, rows = (count + columns - 1) / columns;
    for (size_t p = 0; p < count; p++)
        if (panels[p].curve_count > legend_lines) legend_lines = panels[p].curve_count;
    double width = PANEL_WIDTH * (double)columns;
    double height = MARGIN_TOP + PLOT_HEIGHT + LEGEND_TOP + LEGEND_LINE * (double)legend_lines;

    FILE *file = svg_open(path, width, height * (double)rows + TITLE_HEIGHT, title);
    fprintf(file, "<clipPath id=\"plot\"><rect x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n", MARGIN_TOP,
            PLOT_WIDTH, PLOT_HEIGHT);
    svg_text(file, width / 2, 22, "middle", 16, title);
    for (size_t p = 0; p < count; p++)
        draw_panel(file, panels + p, p % columns, TITLE_HEIGHT + height * (double)(p / columns));
    svg_close(file, path);
}
