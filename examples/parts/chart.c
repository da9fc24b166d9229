/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "chart.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Geometry, in pixels. */
enum {
    PLOT_WIDTH = 440,
    PLOT_HEIGHT = 300,
    MARGIN_LEFT = 70,
    MARGIN_RIGHT = 20,
    MARGIN_TOP = 70,
    LEGEND_TOP = 58, /* below the plot */
    LEGEND_LINE = 20,
    PANEL_WIDTH = MARGIN_LEFT + PLOT_WIDTH + MARGIN_RIGHT,
    TITLE_HEIGHT = 28, /* of what a second row of panels does without */
};

/*
 * Colours of Okabe and Ito (2008), told apart by the colour-blind; dashes and widths tell the curves apart in
 * greyscale.
 */
static const struct style {
    const char *colour, *dashes;
    double width;
} styles[MAX_CURVES] = {
    {"#d55e00", "none", 2.8}, {"#e69f00", "9 4", 2},        {"#0072b2", "none", 1.5},
    {"#009e73", "2 3", 2},    {"#000000", "10 3 2 3", 1.5}, {"#cc79a7", "5 3", 1.5},
};

/* The part of the plane that a panel shows, and where it lies in the picture. */
struct frame {
    double left, length, low, high; /* low and high: where the axis is logarithmic, log10 of the loss */
    bool linear;
};

static double x_of(const struct frame *frame, double x) {
    return frame->left + PLOT_WIDTH * x / frame->length;
}

/* A logarithmic axis ends here, and smaller losses are drawn along its bottom: they differ in nothing that matters. */
static const double least_shown = 1e-8;

/* Where a loss lies on the axis, between low and high. */
static double on_axis(const struct frame *frame, double loss) {
    return frame->linear ? loss : log10(fmax(loss, least_shown));
}

static double y_of(const struct frame *frame, double at) {
    return MARGIN_TOP + PLOT_HEIGHT * (frame->high - at) / (frame->high - frame->low);
}

/* What diverges leaves the picture at the top. */
static struct frame frame_new(const struct panel *panel, double left) {
    double low = INFINITY, start = 0;
    for (size_t c = 0; c < panel->curve_count; c++) {
        const struct curve *curve = panel->curves + c;
        start = fmax(start, curve->losses[0]);
        for (size_t i = 0; i < CURVE_POINTS; i++)
            low = fmin(low, curve->has_band ? curve->least[i] : curve->losses[i]);
    }
    if (!(low >= 0 && start < INFINITY)) fail("%s: losses that the axis cannot show", panel->title);
    struct frame frame = {left, panel->length, log10(fmax(low, least_shown)) - 0.05, log10(3 * start), panel->top > 0};
    if (!frame.linear) return frame;
    if (low >= panel->top) fail("%s: no loss below %g", panel->title, panel->top);
    frame.low = low - 0.03 * (panel->top - low);
    frame.high = panel->top;
    return frame;
}

static void text(FILE *file, double x, double y, const char *anchor, int size, const char *words) {
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">%s</text>\n", x, y, anchor, size,
            words);
}

static void line(FILE *file, double x1, double y1, double x2, double y2, const char *colour) {
    fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour);
}

/* A round distance (1, 2 or 5 times a power of ten) that cuts the axis into four to nine parts. */
static double tick_distance(double length) {
    double power = pow(10, floor(log10(length / 4)));
    double parts = length / 4 / power;
    return power * (parts >= 5 ? 5 : parts >= 2 ? 2 : 1);
}

static void draw_x_axis(FILE *file, const struct frame *frame, const char *label_of_axis) {
    double bottom = MARGIN_TOP + PLOT_HEIGHT, distance = tick_distance(frame->length);
    for (size_t tick = 0; (double)tick * distance <= frame->length * 1.000001; tick++) {
        char label[32];
        double x = x_of(frame, (double)tick * distance);
        snprintf(label, sizeof label, "%g", (double)tick * distance);
        line(file, x, bottom, x, bottom + 5, "#444");
        text(file, x, bottom + 19, "middle", 12, label);
    }
    text(file, frame->left + PLOT_WIDTH / 2.0, bottom + 38, "middle", 13, label_of_axis);
}

static void draw_y_tick(FILE *file, const struct frame *frame, double at, const char *label) {
    if (at < frame->low || at > frame->high) return;
    double y = y_of(frame, at);
    line(file, frame->left, y, frame->left + PLOT_WIDTH, y, "#ddd");
    text(file, frame->left - 8, y + 4, "end", 12, label);
}

static void draw_linear_ticks(FILE *file, const struct frame *frame) {
    double distance = tick_distance(frame->high - frame->low);
    for (double tick = ceil(frame->low / distance); tick * distance <= frame->high; tick++) {
        char label[32];
        snprintf(label, sizeof label, "%g", tick * distance);
        draw_y_tick(file, frame, tick * distance, label);
    }
}

/* A line for each power of ten, and for 2 and 5 times it where there are few of them. */
static void draw_logarithmic_ticks(FILE *file, const struct frame *frame) {
    static const int multiples[] = {1, 2, 5};
    bool few = frame->high - frame->low < 2.5;
    for (int power = (int)floor(frame->low); power <= (int)ceil(frame->high); power++) {
        for (size_t m = 0; m < (few ? 3 : 1); m++) {
            char label[32];
            if (power >= -3 && power < 4)
                snprintf(label, sizeof label, "%g", multiples[m] * pow(10, power));
            else
                snprintf(label, sizeof label, "%de%d", multiples[m], power);
            draw_y_tick(file, frame, power + log10(multiples[m]), label);
        }
    }
}

static void draw_y_axis(FILE *file, const struct frame *frame, const char *label_of_axis) {
    (frame->linear ? draw_linear_ticks : draw_logarithmic_ticks)(file, frame);
    fprintf(file,
            "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\" font-size=\"13\">"
            "%s</text>\n",
            frame->left - 52, MARGIN_TOP + PLOT_HEIGHT / 2.0, label_of_axis);
}

static void stroke(FILE *file, const struct style *style) {
    fprintf(file, "fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\" stroke-dasharray=\"%s\" stroke-linejoin=\"round\"",
            style->colour, style->width, style->dashes);
}

/* The point `i` of a curve, relative to the plot's left edge. */
static void point(FILE *file, const struct frame *frame, const struct curve *curve, const double *losses, size_t i) {
    double x = (curve->length > 0 ? curve->length : frame->length) * (double)i / (CURVE_POINTS - 1);
    /* A spike of many decades would be a coordinate that viewers cannot hold. */
    double at = fmin(on_axis(frame, losses[i]), frame->high + (frame->high - frame->low));
    fprintf(file, "%.1f,%.1f ", x_of(frame, x) - frame->left, y_of(frame, at));
}

static void draw_band(FILE *file, const struct frame *frame, const struct curve *curve, const struct style *style) {
    fprintf(file, "<polygon clip-path=\"url(#plot)\" fill=\"%s\" fill-opacity=\"0.15\" points=\"", style->colour);
    size_t count = 0;
    while (count < CURVE_POINTS && isfinite(curve->most[count])) count++;
    for (size_t i = 0; i < count; i++) point(file, frame, curve, curve->least, i);
    for (size_t i = count; i-- > 0;) point(file, frame, curve, curve->most, i);
    fputs("\"/>\n", file);
}

static void draw_curve(FILE *file, const struct frame *frame, const struct curve *curve, const struct style *style) {
    fputs("<polyline clip-path=\"url(#plot)\" ", file);
    stroke(file, style);
    fputs(" points=\"", file);
    for (size_t i = 0; i < CURVE_POINTS && isfinite(curve->losses[i]); i++)
        point(file, frame, curve, curve->losses, i);
    fputs("\"/>\n", file);
}

static void draw_legend(FILE *file, const struct frame *frame, const struct panel *panel) {
    for (size_t c = 0; c < panel->curve_count; c++) {
        double y = MARGIN_TOP + PLOT_HEIGHT + LEGEND_TOP + LEGEND_LINE * (double)c;
        fprintf(file, "<path d=\"M%.1f %.1fh44\" ", frame->left + 40, y);
        stroke(file, styles + c);
        fputs("/>\n", file);
        text(file, frame->left + 94, y + 4, "start", 12, panel->curves[c].label);
    }
}

static void draw_panel(FILE *file, const struct panel *panel, size_t column, double down) {
    struct frame frame = frame_new(panel, PANEL_WIDTH * (double)column + MARGIN_LEFT);
    fprintf(file, "<g transform=\"translate(0 %.1f)\">\n", down);
    draw_y_axis(file, &frame, panel->y_label ? panel->y_label : "train loss");
    draw_x_axis(file, &frame, panel->x_label ? panel->x_label : "step");
    fprintf(file, "<g transform=\"translate(%.1f 0)\">\n", frame.left);
    /* In reverse, so that the first curve lies on top. */
    for (size_t c = panel->curve_count; c-- > 0;) {
        if (panel->curves[c].has_band) draw_band(file, &frame, panel->curves + c, styles + c);
        draw_curve(file, &frame, panel->curves + c, styles + c);
    }
    fputs("</g>\n", file);
    fprintf(file, "<rect x=\"%.1f\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#444\"/>\n", frame.left,
            MARGIN_TOP, PLOT_WIDTH, PLOT_HEIGHT);
    text(file, frame.left + PLOT_WIDTH / 2.0, MARGIN_TOP - 14, "middle", 14, panel->title);
    draw_legend(file, &frame, panel);
    fputs("</g>\n", file);
}

void chart_write(const char *path, const char *title, const struct panel *panels, size_t count, size_t columns) {
    FILE *file = fopen(path, "w");
    if (!file) fail("%s: %s", path, strerror(errno));

    size_t legend_lines = 0, rows = (count + columns - 1) / columns;
    for (size_t p = 0; p < count; p++)
        if (panels[p].curve_count > legend_lines) legend_lines = panels[p].curve_count;
    double width = PANEL_WIDTH * (double)columns;
    double panel_height = MARGIN_TOP + PLOT_HEIGHT + LEGEND_TOP + LEGEND_LINE * (double)legend_lines;
    double row_height = panel_height - TITLE_HEIGHT, height = row_height * (double)rows + TITLE_HEIGHT;

    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
            "font-family=\"sans-serif\" fill=\"#222\">\n<title>%s</title>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<clipPath id=\"plot\"><rect x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n",
            width, height, width, height, title, MARGIN_TOP, PLOT_WIDTH, PLOT_HEIGHT);
    text(file, width / 2, 28, "middle", 17, title);
    for (size_t p = 0; p < count; p++) draw_panel(file, panels + p, p % columns, row_height * (double)(p / columns));
    fputs("</svg>\n", file);

    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) fail("%s: cannot be written", path);
}
