#include "agent/ui/page.h"
#include "agent/base/mem.h"
#include "agent/text/base64.h"
#include "agent/text/digest.h"
#include "agent/ui/page_files.h"

struct page {
    char *policy; /* owned */
};

static struct slice style(void)
{
    return slice_make(page_css, page_css_len);
}

/* In one element: the second uses the first. */
static struct slice script_layout(void)
{
    return slice_make(page_layout_js, page_layout_js_len);
}

static struct slice script_page(void)
{
    return slice_make(page_js, page_js_len);
}

static void add_hash(struct buf *out, struct slice text, struct slice more)
{
    uint8_t digest[DIGEST_BYTES];

    digest_sha256(text, more, digest);
    buf_add_str(out, "'sha256-");
    base64_encode(out, slice_make(digest, sizeof digest));
    buf_add_char(out, '\'');
}

struct page *page_new(void)
{
    struct page *p = mem_zalloc(sizeof *p);
    struct buf policy;
    size_t len;

    buf_init(&policy, 1024);
    buf_add_str(&policy, "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                         "frame-ancestors 'none'; style-src ");
    add_hash(&policy, style(), slice_str(""));
    buf_add_str(&policy, "; script-src ");
    add_hash(&policy, script_layout(), script_page());
    p->policy = buf_take(&policy, &len);
    return p;
}

void page_free(struct page *p)
{
    if (p == NULL)
        return;
    mem_free(p->policy);
    mem_free(p);
}

const char *page_policy(const struct page *p)
{
    return p->policy;
}

void html_escape(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case '&':
            buf_add_str(out, "&amp;");
            break;
        case '<':
            buf_add_str(out, "&lt;");
            break;
        case '>':
            buf_add_str(out, "&gt;");
            break;
        case '"':
            buf_add_str(out, "&quot;");
            break;
        case '\'':
            buf_add_str(out, "&#39;");
            break;
        default:
            buf_add_char(out, s.ptr[i]);
        }
    }
}

struct listing {
    struct buf *out;
    const char *api;
};

static void write_row(void *ctx, const struct component_row *row)
{
    const struct listing *list = ctx;

    buf_add_str(list->out, "<tr><td><a href=\"");
    html_escape(list->out, slice_str(list->api));
    buf_add_str(list->out, "/components/");
    html_escape(list->out, slice_str(row->id));
    buf_add_str(list->out, "\">");
    html_escape(list->out, slice_str(row->id));
    buf_printf(list->out, "</a></td><td>%s</td><td>", health_name(row->health));
    html_escape(list->out, slice_str(row->message));
    buf_add_str(list->out, "</td></tr>\n");
}

void page_write(struct runtime *rt, const char *api, struct buf *out)
{
    struct listing list = {.out = out, .api = api};

    buf_add_str(out,
                "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>hyagent</title>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<style>");
    buf_add(out, style());
    buf_add_str(out, "</style></head><body>\n");
    buf_add(out, slice_make(page_html, page_html_len));
    buf_add_str(out, "<noscript><table><tr><th>component</th><th>health</th><th></th></tr>\n");
    runtime_each_component(rt, write_row, &list);
    buf_add_str(out, "</table></noscript>\n<script>");
    buf_add(out, script_layout());
    buf_add(out, script_page());
    buf_add_str(out, "</script></body></html>\n");
}
