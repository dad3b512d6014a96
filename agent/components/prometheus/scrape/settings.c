#include "agent/base/mem.h"
#include "agent/components/prometheus/scrape/scrape.h"

/* The protocols that are spoken, best first, as Prometheus words its Accept header. */
static const struct {
    const char *name, *media_type;
} protocols[] = {
    {"OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"},
    {"OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1"},
    {"PrometheusText1.0.0", "text/plain;version=1.0.0;escaping=allow-utf-8"},
    {"PrometheusText0.0.4", "text/plain;version=0.0.4"},
};

static char *accept_header(const struct river_strings *wanted)
{
    struct buf text;
    unsigned left = 6;

    buf_init(&text, 4096);
    for (size_t i = 0; i < wanted->n; i++)
        for (size_t j = 0; j < sizeof protocols / sizeof *protocols; j++)
            if (slice_eq_str(wanted->items[i], protocols[j].name) && left > 1)
                (void)buf_printf(&text, "%s;q=0.%u,", protocols[j].media_type, left--);
    (void)buf_printf(&text, "*/*;q=0.%u", left > 1 ? left - 1 : 1);
    return buf_take(&text, NULL);
}

enum code settings_new(struct settings **out, const struct scrape_args *args, struct error *err)
{
    struct settings *s = mem_zalloc(sizeof *s);
    enum code rc;

    *out = NULL;
    atomic_store(&s->refs, 1);
    s->honor_labels = args->honor_labels;
    s->honor_timestamps = args->honor_timestamps;
    s->track_timestamps_staleness = args->track_timestamps_staleness;
    s->extra_metrics = args->extra_metrics;
    s->enable_compression = args->enable_compression;
    s->body_size_limit = args->body_size_limit;
    s->sample_limit = args->sample_limit;
    s->label_limit = args->label_limit;
    s->label_name_length_limit = args->label_name_length_limit;
    s->label_value_length_limit = args->label_value_length_limit;
    s->accept = accept_header(&args->scrape_protocols);
    rc = http_auth_new(&s->auth, &args->http, err);
    if (rc != OK) {
        settings_unref(s);
        return rc;
    }
    *out = s;
    return OK;
}

struct settings *settings_ref(struct settings *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void settings_unref(struct settings *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    http_auth_free(s->auth);
    mem_free(s->accept);
    mem_free(s);
}
