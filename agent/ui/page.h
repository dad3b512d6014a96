/* agent/ui/page.h - the plain page of all components. */
#ifndef AGENT_UI_PAGE_H
#define AGENT_UI_PAGE_H
#include "agent/runtime/runtime.h"

/* api: path of the components API, for the links. */
void page_write(struct runtime *rt, const char *api, struct buf *out);
/* Appends s with & < > " ' escaped. */
void html_escape(struct buf *out, struct slice s);
#endif
