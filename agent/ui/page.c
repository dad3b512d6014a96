#include "agent/ui/page.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>hyagent</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4em .6em;border-bottom:1px solid #ddd;"
    "vertical-align:top}\n"
    ".healthy{color:#176b2c}.unhealthy,.exited{color:#b3261e;font-weight:600}.unknown{color:#666}\n"
    "pre{white-space:pre-wrap;word-break:break-all;margin:0;font-size:13px}\n"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}td,th{border-color:#444}"
    ".healthy{color:#6fcf86}.unhealthy,.exited{color:#ff8a80}a{color:#8ab4f8}}\n"
    "</style></head><body>\n<h1>hyagent " HYAGENT_VERSION "</h1>\n";

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

struct page {
    struct buf *out;
    const char *api;
};

static void write_row(void *ctx, const struct component_row *row)
{
    const struct page *p = ctx;

    buf_add_str(p->out, "<tr><td><a href=\"");
    html_escape(p->out, slice_str(p->api));
    buf_add_char(p->out, '/');
    html_escape(p->out, slice_str(row->id));
    buf_add_str(p->out, "\">");
    html_escape(p->out, slice_str(row->id));
    buf_printf(p->out, "</a></td><td class=\"%s\">%s</td><td>", health_name(row->health), health_name(row->health));
    html_escape(p->out, slice_str(row->message));
    buf_add_str(p->out, "</td><td><details><summary>arguments and exports</summary><pre>");
    html_escape(p->out, row->arguments);
    buf_add_str(p->out, "\n");
    html_escape(p->out, row->exports);
    buf_add_str(p->out, "</pre></details></td></tr>\n");
}

void page_write(struct runtime *rt, const char *api, struct buf *out)
{
    struct page page = {.out = out, .api = api};

    buf_add_str(out, head);
    buf_add_str(out, "<p><a href=\"/metrics\">metrics</a> · <a href=\"/-/healthy\">health</a> · <a href=\"");
    html_escape(out, slice_str(api));
    buf_add_str(out, "\">components as JSON</a></p>\n"
                     "<table><tr><th>component</th><th>health</th><th></th><th></th></tr>\n");
    runtime_each_component(rt, write_row, &page);
    buf_add_str(out, "</table>\n</body></html>\n");
}
