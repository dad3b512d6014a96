/* agent/model/otlp_to_prom_int.h - shared by the files of the conversion. */
#ifndef AGENT_MODEL_OTLP_TO_PROM_INT_H
#define AGENT_MODEL_OTLP_TO_PROM_INT_H
#include "agent/model/native_histogram.h"
#include "agent/model/otlp_decode.h"

/* An attribute key as a label name, as the Collector writes it: other characters become _, a leading digit gets "key_",
 * a leading single _ gets "key" in front. ptr NULL: the arena is full. */
struct slice otlp_prom_label(struct arena *a, struct slice name);
/* job (service.namespace/service.name) and instance (service.instance.id); empty when not there. On the arena. */
struct slice otlp_job(struct arena *a, const Otlp__Resource *r);
struct slice otlp_instance(struct arena *a, const Otlp__Resource *r);
/* The text of a value on the arena; ptr NULL when it is full or the text is longer than a log entry may be. */
struct slice otlp_value_slice(struct arena *a, const Otlp__AnyValue *v);
/* Does the resource's attribute identify the target (and so is in job or instance)? */
bool otlp_is_identifying(const char *key);

enum native_result { NATIVE_OK, NATIVE_UNSUPPORTED, NATIVE_NOMEM };
/* An exponential histogram's point as a native histogram; scales over 8 are merged down, under -4 are unsupported. */
enum native_result otlp_to_native(struct arena *a, const Otlp__ExponentialHistogramDataPoint *p, bool is_stale,
                                  struct native_histogram *out);
#endif
