/* agent/base/limits.h - every maximum in one place. Sizes in bytes unless the name says otherwise. */
#ifndef AGENT_BASE_LIMITS_H
#define AGENT_BASE_LIMITS_H

/* own log */
#define LIMIT_LOG_CAUSES 256
#define LIMIT_LOG_CAUSE_S 10
#define LIMIT_LOG_LINE_BYTES (16 * 1024)
#define LIMIT_LOG_FIELD_BYTES (4 * 1024)

/* self-metrics */
#define LIMIT_METRIC_SERIES_PER_FAMILY 10000
#define LIMIT_METRICS_PAGE_BYTES (64u * 1024 * 1024)

/* configuration */
#define LIMIT_CONFIG_FILE_BYTES (4u * 1024 * 1024)
#define LIMIT_CONFIG_FILES 4096 /* watched by --config.watch */
#define LIMIT_CONFIG_DEPTH 128
#define LIMIT_CONFIG_DIAGS 100
#define LIMIT_CONFIG_EDGES 1000000                   /* references between components, all together */
#define LIMIT_CONFIG_WORK_BYTES (512u * 1024 * 1024) /* values touched by all evaluations of one load */
#define LIMIT_MODULE_DEPTH 32                        /* modules inside modules */
#define LIMIT_MODULE_BLOCKS 20000                    /* all that modules expand to */
#define LIMIT_MODULE_TEXT_BYTES (16u * 1024 * 1024)  /* of those blocks, as often as they are expanded */
#define LIMIT_MODULE_IMPORTS 1000                    /* imports after expansion */
#define LIMIT_MODULE_BYTES (32u * 1024 * 1024)       /* of imported text, all together */
#define LIMIT_MODULE_ROUNDS 8                        /* expansions in a row, each changed by what the last one ran */
#define LIMIT_FOREACH_ITEMS 5000                     /* of all foreach blocks together */
#define LIMIT_CONFIG_STRING_BYTES (16u * 1024 * 1024)
#define LIMIT_RIVER_NODES 1000000                   /* expressions and statements of a file */
#define LIMIT_RIVER_HEIGHT 1000                     /* of an expression's tree: a + b + c counts one each */
#define LIMIT_RIVER_WORK_BYTES (256u * 1024 * 1024) /* values touched by one evaluation context */
#define LIMIT_RIVER_JSONPATH_STEPS 200000           /* nodes looked at by one json_path */

#define LIMIT_EXPLAIN_BYTES (64u * 1024 * 1024) /* what hyagent explain says at once */

/* texts read from outside */
#define LIMIT_JSON_DEPTH 64
#define LIMIT_JSON_TEXT_BYTES (16u * 1024 * 1024) /* a tree written back as text */
#define LIMIT_YAML_BYTES (4u * 1024 * 1024)
#define LIMIT_YAML_DEPTH 128
#define LIMIT_YAML_NODES 400000 /* aliases counted as what they stand for */
#define LIMIT_REGEX_PATTERN_BYTES (64 * 1024)
#define LIMIT_REGEX_BYTES (8 * 1024 * 1024) /* RE2's program and automata, per pattern */
#define LIMIT_REGEX_GROUPS 100
#define LIMIT_JMESPATH_BYTES (16 * 1024)
#define LIMIT_JMESPATH_DEPTH 64
#define LIMIT_JMESPATH_STEPS 1000000 /* nodes visited by one evaluation */
#define LIMIT_TEMPLATE_BYTES (256 * 1024)
#define LIMIT_TEMPLATE_DEPTH 64
#define LIMIT_TEMPLATE_STEPS 100000 /* nodes executed by one run */
#define LIMIT_TEMPLATE_LIST 65536   /* elements of a list a function makes */
#define LIMIT_TIME_LAYOUT_BYTES 256
#define LIMIT_TIME_ZONES 1024
#define LIMIT_TIME_ZONE_FILE_BYTES (256 * 1024)
#define LIMIT_GLOB_BYTES 4096
#define LIMIT_GLOB_BRACES 256 /* patterns that {a,b} unfolds to */
#define LIMIT_PROTOBUF_DEPTH 64

/* batches */
#define LIMIT_BATCH_BYTES (64u * 1024 * 1024)
#define LIMIT_TICKET_DESTINATIONS 8

/* labels, series */
#define LIMIT_SERIES_LABELS 1024
#define LIMIT_LABEL_SETS (8u * 1024 * 1024) /* interned at once */
#define LIMIT_EXPOSITION_LINE_BYTES (1024u * 1024)

/* lines */
#define LIMIT_LOG_ENTRY_BYTES (256u * 1024)
#define LIMIT_LINE_BYTES (1024u * 1024)

/* files and containers */
#define LIMIT_SOURCE_CHUNK_BYTES (256u * 1024)         /* read at once, unless a line is longer */
#define LIMIT_SOURCE_FILE_BYTES (8u * 1024 * 1024)     /* read and not settled, of one file or container */
#define LIMIT_SOURCE_BYTES (16u * 1024 * 1024)         /* the same, of one component */
#define LIMIT_DELETED_FILE_BYTES (1024u * 1024 * 1024) /* unread, of a deleted file that is still held */
#define LIMIT_DELETED_FILE_S 300
#define LIMIT_GLOB_MATCHES 100000
#define LIMIT_DOCKER_ANSWER_BYTES (32u * 1024 * 1024)
#define LIMIT_DOCKER_CONTAINERS 10000

/* delivery */
#define LIMIT_PARTITIONS 8
#define LIMIT_TENANT_QUEUES 64
#define LIMIT_TENANT_BYTES 150
#define LIMIT_POSITIONS 1000000 /* entries of one component */
#define LIMIT_POSITIONS_FILE_BYTES (256u * 1024 * 1024)

/* what is fetched and discovered */
#define LIMIT_REMOTE_CONTENT_BYTES (16u * 1024 * 1024) /* of remote.http and import.http */
#define LIMIT_TARGET_GROUPS_BYTES (32u * 1024 * 1024)  /* one file or answer of discovery.file, discovery.http */
#define LIMIT_TARGETS 200000                           /* of one discovery component */
#define LIMIT_DISCOVERY_FILES 10000
#define LIMIT_DNS_RECORDS 4096 /* of one answer */
#define LIMIT_DNS_NAMES 1000   /* of one discovery.dns */
#define LIMIT_PROCESSES 100000
#define LIMIT_PROC_FILE_BYTES (128 * 1024) /* cmdline or cgroup of one process */
#define LIMIT_PROGRAM_OUTPUT_BYTES (64 * 1024)
#define LIMIT_GIT_S 300 /* one run of the git program */

/* scrapes */
#define LIMIT_SCRAPE_BYTES (512u * 1024 * 1024)

/* network */
#define LIMIT_HTTP_HEADER_BYTES (32 * 1024)
#define LIMIT_HTTP_RESPONSE_BYTES (64 * 1024)
#define LIMIT_HTTP_BODY_BYTES (64u * 1024 * 1024)
#define LIMIT_HTTP_STREAM_BYTES (1024u * 1024) /* waiting for a slow reader of a live tail */
#define LIMIT_CREDENTIAL_FILE_BYTES (64 * 1024)
#define LIMIT_TLS_FILE_BYTES (4u * 1024 * 1024)

/* pipeline tests and dry runs */
#define LIMIT_VIRTUAL_TIMERS 200000 /* run while virtual time passes once */
#define LIMIT_TEST_FILES 10000
#define LIMIT_TEST_DEPTH 32                      /* folders in folders */
#define LIMIT_TEST_EXPECTED 2000                 /* items of one expect block */
#define LIMIT_TEST_ITEMS 20000                   /* seen by the expectations of one test */
#define LIMIT_TEST_BYTES (64u * 1024 * 1024)     /* the same */
#define LIMIT_TEST_COMPARISONS (4 * 1000 * 1000) /* of one expect block */
#define LIMIT_TEST_REPORT_BYTES (256u * 1024)    /* of what is wrong with one test */

/* admin pages */
#define LIMIT_LIVE_STREAMS 8                    /* live items shown to so many at once */
#define LIMIT_LIVE_ITEMS_PER_S 100              /* to each of them */
#define LIMIT_LIVE_QUEUE_BYTES (256u * 1024)    /* waiting for the next time it is sent, of each */
#define LIMIT_SHOWN_TEXT_BYTES 2048             /* of one text of an item */
#define LIMIT_LOG_KEPT_BYTES (256u * 1024)      /* the end of the own log, for the support bundle */
#define LIMIT_LOG_FORWARD_LINES 1000            /* own log lines on their way to logging's write_to */
#define LIMIT_SUPPORT_BYTES (64u * 1024 * 1024) /* of a support bundle, unpacked */
#define LIMIT_KNOWN_SECRETS 10000               /* texts that are looked for before something is shown */

#endif
