/* agent/runtime/exporter.h - what all prometheus.exporter.* components share: the one target under which
 * prometheus.scrape finds them in this process, labelled as Alloy labels it. */
#ifndef AGENT_RUNTIME_EXPORTER_H
#define AGENT_RUNTIME_EXPORTER_H
#include "agent/runtime/component.h"

/* Exports `targets`: job is "integrations/NAME", instance this machine's host name. */
MUST_USE enum code exporter_targets(struct host *host, const char *name, struct error *err);
#endif
