/* agent/ui/page.h - the page: one HTML document with its style and script inside, which asks the API for all it shows.
 * Without script it is a plain list. */
#ifndef AGENT_UI_PAGE_H
#define AGENT_UI_PAGE_H
#include "agent/runtime/runtime.h"

struct page; /* immutable: any thread */
struct page *page_new(void);
void page_free(struct page *p);
/* Content-Security-Policy under which exactly this page works: its own script and style by hash, nothing from outside.
 */
const char *page_policy(const struct page *p);
/* api: path of the API ("/api/v0/web"), for the links of the plain list. */
void page_write(struct runtime *rt, const char *api, struct buf *out);
/* Appends s with & < > " ' escaped. */
void html_escape(struct buf *out, struct slice s);
#endif
