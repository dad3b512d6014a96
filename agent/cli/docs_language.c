/* The language on one page: what people look up when a text does not parse. The parser's errors refer to it. */
#include "agent/cli/docs.h"

struct section {
    const char *anchor, *title, *text, *example; /* example may be NULL */
};

static const struct section sections[] = {
    {"blocks", "Blocks",
     "A configuration is a list of blocks. A component has a name and a label in double quotes, which tells it from "
     "others "
     "of its kind; its id is both: loki.write.grafana. Two blocks may not have the same id. A label is letters, digits "
     "and _, no digit first. Configuration blocks (logging, http) have no label and stand there once. Every \"{\" "
     "needs "
     "its \"}\"; two statements do not share a line.",
     "loki.write \"grafana\" {\n\tendpoint {\n\t\turl = \"http://loki:3100/loki/api/v1/push\"\n\t}\n}"},
    {"arguments", "Arguments",
     "NAME = VALUE, on one line unless a bracket is open. The value's type is the argument's: hyagent docs NAME tells "
     "it. "
     "Durations (\"30s\", \"1h30m\"; units ns us ms s m h, no days) and sizes (\"5MiB\") are strings with a unit.",
     "batch_wait = \"1s\"\nmax_streams = 1000\nretry_on_http_429 = true"},
    {"strings", "Strings",
     "In double quotes, on one line, with the escapes \\n \\t \\r \\\" \\\\ \\xNN \\uNNNN and the like: a backslash "
     "itself is \\\\. "
     "Or in backquotes: then nothing in it is special, and it may have many lines, which suits regular expressions. "
     "Single quotes are no quotes.",
     "regex = \"\\\\d+ \\\\S+\"\nregex = `\\d+ \\S+`"},
    {"lists", "Lists and objects",
     "Lists are written [a, b], objects {key = value, other = value}. Between items stands a comma; when the closing "
     "bracket has a line of its own, the last item needs one, too. A key that is no plain name is quoted.",
     "forward_to = [\n\tloki.write.one.receiver,\n\tloki.write.two.receiver,\n]\nheaders = {\"X-Scope-OrgID\" = "
     "\"team\"}"},
    {"references", "References",
     "ID.FIELD is what a component exports: loki.write.grafana.receiver, written without quotes. The order of blocks "
     "does not matter; references must not go round in a circle. Fields of objects are reached with .name or "
     "[\"name\"], items of lists with [0].",
     "forward_to = [loki.write.grafana.receiver]"},
    {"expressions", "Expressions",
     "From loose to tight: ||; &&; == != < <= > >=; + -; * / %; ^; ! and - in front. + also joins strings. An operator "
     "that goes on in the next line ends its line. Functions: hyagent docs functions.",
     "url = \"http://\" + sys.env(\"LOKI_HOST\") + \":3100/loki/api/v1/push\""},
    {"secrets", "Secrets",
     "A string may stand where a secret is wanted, a secret not where a string is: convert.nonsensitive(...) makes one "
     "of "
     "it, which is then shown on pages and in logs.",
     NULL},
    {"comments", "Comments", "// to the end of the line, or between /* and */. A # is no comment.", NULL},
    {"modules", "Modules",
     "declare makes a custom component of others, with argument and export blocks for what goes in and out; "
     "import.file, "
     "import.string, import.http and import.git bring declare blocks from elsewhere; foreach repeats components.",
     "declare \"to_loki\" {\n\targument \"url\" { }\n\n\texport \"receiver\" {\n\t\tvalue = "
     "loki.write.it.receiver\n\t}\n\n"
     "\tloki.write \"it\" {\n\t\tendpoint {\n\t\t\turl = argument.url.value\n\t\t}\n\t}\n}\n\n"
     "to_loki \"grafana\" {\n\turl = \"http://loki:3100/loki/api/v1/push\"\n}"},
};

static void put_example(struct buf *out, const char *text, bool is_markdown)
{
    if (is_markdown) {
        buf_printf(out, "\n```river\n%s\n```\n", text);
        return;
    }
    buf_add_str(out, "\n    ");
    for (; *text != '\0'; text++) {
        buf_add_char(out, *text);
        if (*text == '\n' && text[1] != '\n')
            buf_add_str(out, "    ");
    }
    buf_add_char(out, '\n');
}

/* Lines of a terminal. */
static void put_wrapped(struct buf *out, const char *text)
{
    enum { COLUMNS = 100 };
    size_t column = 0;

    while (*text != '\0') {
        size_t n = strcspn(text, " ");

        if (column > 0 && column + 1 + n > COLUMNS) {
            buf_add_char(out, '\n');
            column = 0;
        } else if (column > 0) {
            buf_add_char(out, ' ');
            column++;
        }
        buf_add(out, slice_make(text, n));
        column += n;
        text += n + (text[n] == ' ');
    }
    buf_add_char(out, '\n');
}

void docs_write_language(struct buf *out, bool is_markdown)
{
    buf_add_str(out, is_markdown ? "# The language\n" : "The language\n");
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const struct section *s = &sections[i];

        if (is_markdown)
            buf_printf(out, "\n<a id=\"%s\"></a>\n## %s\n\n%s\n", s->anchor, s->title, s->text);
        else
            buf_printf(out, "\n%s\n\n", s->title);
        if (!is_markdown)
            put_wrapped(out, s->text);
        if (s->example != NULL)
            put_example(out, s->example, is_markdown);
    }
}
