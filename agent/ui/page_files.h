/* agent/ui/page_files.h - the files the page is made of, put into the program at build time (cmake/embed.cmake). */
#ifndef AGENT_UI_PAGE_FILES_H
#define AGENT_UI_PAGE_FILES_H
#include <stddef.h>

extern const unsigned char page_html[], page_css[], page_layout_js[], page_js[];
extern const size_t page_html_len, page_css_len, page_layout_js_len, page_js_len;
#endif
