/* Modules as a language: what declare, import and foreach expand to, and what is refused in which words. */
#include "fakes.h"
#include "agent/base/limits.h"
#include <stdlib.h>
#include <unistd.h>

static enum code load_text(struct config **out, const char *text, enum stability stability, struct buf *errors)
{
    struct config_options options = {.types = fake_types, .stability = stability};
    struct diags diags;
    enum code rc;

    diags_init(&diags);
    rc = config_load(out, &options, &(struct config_text){"test.river", slice_str(text)}, 1, &diags);
    diags_print(errors, &diags, false);
    buf_add_char(errors, '\0');
    diags_release(&diags);
    return rc;
}

static enum code check(const char *text, struct buf *errors)
{
    struct config_options options = {.types = fake_types, .stability = STABILITY_EXPERIMENTAL};
    struct diags diags;
    enum code rc;

    diags_init(&diags);
    rc = runtime_check(&options, &(struct config_text){"test.river", slice_str(text)}, 1, &diags);
    diags_print(errors, &diags, false);
    buf_add_char(errors, '\0');
    diags_release(&diags);
    return rc;
}

/* --- what is refused --- */

static const struct {
    const char *name, *text, *want;
} wrong[] = {
    {"a declare that contains itself", "declare \"a\" {\n\ta \"t1\" {}\n}\n\na \"t2\" {}\n",
     "declare blocks contain each other in a cycle: declare.a → declare.a"},
    {"two that contain each other", "declare \"a\" {\n\tb \"t1\" {}\n}\n\ndeclare \"b\" {\n\ta \"t2\" {}\n}\n",
     "cycle: declare.a → declare.b → declare.a"},
    {"a cycle within a declare",
     "declare \"a\" {\n\tdeclare \"b\" {\n\t\tc \"t1\" {}\n\t}\n\n\tdeclare \"c\" {\n\t\tb \"t2\" {}\n\t}\n\n\tb "
     "\"t3\" {}\n}\n\na "
     "\"t4\" {}\n",
     "cycle: declare.b → declare.c → declare.b"},
    {"the label declare", "declare \"declare\" {}\n", "\"declare\" is not a valid label for a declare block"},
    {"a component outside is out of scope",
     "fake.value \"v\" {}\n\ndeclare \"x\" {\n\tfake.sink \"s\" {\n\t\ttext = fake.value.v.content\n\t}\n}\n\nx \"i\" "
     "{}\n",
     "test.river:5:10: error: component \"fake.value.v.content\" does not exist or is out of scope"},
    {"a declare within another is out of scope",
     "declare \"a\" {\n\tb_1 \"d\" {}\n}\n\ndeclare \"b\" {\n\tdeclare \"b_1\" {}\n}\n\na \"e\" {}\n",
     "test.river:2:2: error: there is no component named \"b_1\""},
    {"an import does not see the declares of whoever imports",
     "declare \"mine\" {}\n\nimport.string \"m\" {\n\tcontent = `declare \"a\" {\n\tmine \"x\" {}\n}`\n}\n\nm.a \"i\" "
     "{}\n",
     "import.string.m:2:2: error: there is no component named \"mine\""},
    {"what a nested import brings is not its own",
     "import.string \"m\" {\n\tcontent = `import.string \"n\" {\n\tcontent = \"declare \\\"a\\\" {}\"\n}`\n}\n\nm.a "
     "\"i\" {}\n",
     "there is no custom component named \"a\" in import.string.m"},
    {"a custom component that does not exist has a suggestion",
     "import.string \"m\" {\n\tcontent = `declare \"sender\" {}`\n}\n\nm.sendr \"i\" {}\n", "did you mean \"sender\"?"},
    {"an unknown argument with a suggestion",
     "declare \"x\" {\n\targument \"target\" {\n\t\toptional = true\n\t}\n}\n\nx \"i\" {\n\ttargt = 1\n}\n",
     "test.river:8:2: error: the custom component \"x\" has no argument \"targt\""},
    {"it is suggested",
     "declare \"x\" {\n\targument \"target\" {\n\t\toptional = true\n\t}\n}\n\nx \"i\" {\n\ttargt = 1\n}\n",
     "did you mean \"target\"?"},
    {"a missing argument", "declare \"x\" {\n\targument \"a\" {}\n}\n\nx \"i\" {}\n",
     "test.river:5:1: error: the custom component \"x\" needs the argument \"a\""},
    {"a default alone makes no argument optional",
     "declare \"x\" {\n\targument \"a\" {\n\t\tdefault = 1\n\t}\n}\n\nx \"i\" {}\n", "needs the argument \"a\""},
    {"an argument twice", "declare \"x\" {\n\targument \"a\" {}\n}\n\nx \"i\" {\n\ta = 1\n\ta = 2\n}\n", "twice"},
    {"a block in an instance", "declare \"x\" {}\n\nx \"i\" {\n\tb {}\n}\n", "takes arguments only, no block \"b\""},
    {"an unknown setting of an argument",
     "declare \"x\" {\n\targument \"a\" {\n\t\toptonal = true\n\t}\n}\n\nx \"i\" {\n\ta = 1\n}\n",
     "test.river:3:3: error: \"argument\" has no argument \"optonal\""},
    {"optional is true or false",
     "declare \"x\" {\n\targument \"a\" {\n\t\toptional = 1\n\t}\n}\n\nx \"i\" {\n\ta = 1\n}\n",
     "\"optional\" is true or false, this is a number"},
    {"an export without a value", "declare \"x\" {\n\texport \"e\" {}\n}\n\nx \"i\" {}\n",
     "the export \"e\" has no value"},
    {"an export that does not exist",
     "declare \"x\" {\n\texport \"out\" {\n\t\tvalue = 1\n\t}\n}\n\nx \"i\" {}\n\nfake.sink \"s\" {\n\ttext = "
     "x.i.ou\n}\n",
     "field \"ou\" does not exist"},
    {"what an instance was given is checked though nobody uses it",
     "declare \"x\" {\n\targument \"a\" {}\n}\n\nx \"i\" {\n\ta = 1 + \"b\"\n}\n", "test.river:6:"},
    {"an instance's arguments may not depend on its own exports",
     "declare \"x\" {\n\targument \"a\" {}\n\n\texport \"e\" {\n\t\tvalue = 1\n\t}\n}\n\nx \"i\" {\n\ta = x.i.e\n}\n",
     "components refer to each other in a cycle: x.i → x.i"},
    {"a cycle through a custom component",
     "declare \"x\" {\n\targument \"to\" {}\n\n\tfake.hold \"h\" {\n\t\tforward_to = "
     "argument.to.value\n\t}\n\n\texport \"r\" "
     "{\n\t\tvalue = fake.hold.h.receiver\n\t}\n}\n\nx \"i\" {\n\tto = [fake.hold.o.receiver]\n}\n\nfake.hold \"o\" "
     "{\n\tforward_to = [x.i.r]\n}\n",
     "cycle: x.i → fake.hold.o → x.i"},
    {"argument at the top", "argument \"a\" {}\n", "\"argument\" blocks are only allowed inside a declare block"},
    {"export at the top", "export \"a\" {\n\tvalue = 1\n}\n",
     "\"export\" blocks are only allowed inside a declare block"},
    {"logging in a declare", "declare \"x\" {\n\tlogging {}\n}\n\nx \"i\" {}\n",
     "test.river:2:2: error: block \"logging\" is not allowed inside a module"},
    {"a component in an imported module", "import.string \"m\" {\n\tcontent = `fake.sink \"s\" {}`\n}\n",
     "import.string.m:1:1: error: only declare and import blocks are allowed in an imported module"},
    {"a broken imported module", "import.string \"m\" {\n\tcontent = `declare \"a\" {`\n}\n", "import.string.m:1:"},
    {"a file that is not there", "import.file \"m\" {\n\tfilename = \"/nowhere/at/all.alloy\"\n}\n",
     "test.river:1:1: error: \"import.file.m\" cannot be read: /nowhere/at/all.alloy"},
    {"a device is no module", "import.file \"m\" {\n\tfilename = \"/dev/zero\"\n}\n", "is no file"},
    {"the same name imported twice",
     "import.string \"m\" {\n\tcontent = \"\"\n}\n\nimport.file \"m\" {\n\tfilename = \"x\"\n}\n",
     "the name \"m\" is imported twice: first at test.river:1:1"},
    {"no label", "declare \"x\" {}\n\nx {}\n", "must have a label"},
    {"two instances of one name", "declare \"x\" {}\n\nx \"i\" {}\n\nx \"i\" {}\n",
     "\"x.i\" is declared twice: first at test.river:3:1"},
    {"two declares of one name", "declare \"x\" {}\n\ndeclare \"x\" {}\n", "\"declare.x\" is declared twice"},
    {"an import is no value",
     "import.string \"m\" {\n\tcontent = \"\"\n}\n\nfake.sink \"s\" {\n\ttext = import.string.m\n}\n",
     "\"import.string.m\" has no value to refer to"},
    {"foreach over no list", "foreach \"f\" {\n\tcollection = 1\n\tvar = \"v\"\n\n\ttemplate {}\n}\n",
     "test.river:2:15: error: a list is needed, this is a number"},
    {"foreach without a template", "foreach \"f\" {\n\tcollection = [1]\n\tvar = \"v\"\n}\n", "template"},
    {"a var that is no name", "foreach \"f\" {\n\tcollection = [1]\n\tvar = \"a-b\"\n\n\ttemplate {}\n}\n",
     "\"a-b\" is no name"},
    {"a wrong reference in a template",
     "foreach \"f\" {\n\tcollection = [1]\n\tvar = \"v\"\n\n\ttemplate {\n\t\tfake.sink \"s\" {\n\t\t\ttext = "
     "w\n\t\t}\n\t}\n}\n",
     "test.river:7:11: error: component \"w\" does not exist"},
    {"nothing refers into a foreach",
     "foreach \"f\" {\n\tcollection = [1]\n\tvar = \"v\"\n\n\ttemplate {\n\t\tfake.sink \"s\" "
     "{}\n\t}\n}\n\nfake.source \"o\" "
     "{\n\tforward_to = [fake.sink.s.receiver]\n}\n",
     "component \"fake.sink.s.receiver\" does not exist"},
};

static void wrong_modules_are_refused_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf out;

        buf_init(&out, 1 << 20);
        enum code rc = check(wrong[i].text, &out);
        if (rc != INVALID || strstr(out.ptr, wrong[i].want) == NULL)
            fail_msg("%s: wanted \"%s\", got %s:\n%s", wrong[i].name, wrong[i].want, code_name(rc), out.ptr);
        buf_release(&out);
    }
}

static void foreach_needs_the_experimental_level(void **state)
{
    struct config *c;
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_int_equal(
        load_text(&c, "foreach \"f\" {\n\tcollection = [1]\n\tvar = \"v\"\n\n\ttemplate {}\n}\n", STABILITY_GA, &out),
        INVALID);
    assert_non_null(strstr(out.ptr, "use --stability.level=experimental"));
    buf_release(&out);
}

/* --- what is there --- */

static const struct {
    const char *name, *text;
    const char *ids[8];   /* all blocks, in order of need */
    const char *needs[4]; /* of the last one */
} fine[] = {
    {"an unused declare is nothing, whatever is in it", "declare \"x\" {\n\tno.such \"y\" {}\n}\n", {NULL}, {NULL}},
    {"a declare's components have the path of the instance",
     "declare \"x\" {\n\tfake.sink \"s\" {}\n}\n\nx \"one\" {}\n\nx \"two\" {}\n",
     {"x.one/fake.sink.s", "x.two/fake.sink.s", NULL},
     {NULL}},
    {"references go through arguments and exports",
     "declare \"x\" {\n\targument \"to\" {}\n\n\tfake.hold \"h\" {\n\t\tforward_to = "
     "argument.to.value\n\t}\n\n\texport \"r\" "
     "{\n\t\tvalue = fake.hold.h.receiver\n\t}\n}\n\nfake.source \"s\" {\n\tforward_to = [x.i.r]\n}\n\nx \"i\" {\n\tto "
     "= "
     "[fake.sink.e.receiver]\n}\n\nfake.sink \"e\" {}\n",
     {"fake.sink.e", "x.i/fake.hold.h", "fake.source.s", NULL},
     {"x.i/fake.hold.h", NULL}},
    {"an argument that is passed on leads to where it comes from",
     "declare \"in\" {\n\targument \"to\" {}\n\n\tfake.source \"s\" {\n\t\tforward_to = "
     "argument.to.value\n\t}\n}\n\ndeclare "
     "\"out\" {\n\targument \"to\" {}\n\n\tin \"i\" {\n\t\tto = argument.to.value\n\t}\n}\n\nout \"o\" {\n\tto = "
     "[fake.sink.e.receiver]\n}\n\nfake.sink \"e\" {}\n",
     {"fake.sink.e", "out.o/in.i/fake.source.s", NULL},
     {"fake.sink.e", NULL}},
    {"an inner declare hides an outer one",
     "declare \"a\" {\n\tfake.sink \"outer\" {}\n}\n\ndeclare \"t\" {\n\tdeclare \"a\" {\n\t\tfake.sink \"inner\" "
     "{}\n\t}\n\n\ta \"d\" "
     "{}\n}\n\nt \"m\" {}\n",
     {"t.m/a.d/fake.sink.inner", NULL},
     {NULL}},
    {"a declare of the root is known in another",
     "declare \"t\" {\n\tr \"d\" {}\n}\n\ndeclare \"r\" {\n\tfake.sink \"s\" {}\n}\n\nt \"m\" {}\n",
     {"t.m/r.d/fake.sink.s", NULL},
     {NULL}},
    {"a declare may have the name of a namespace",
     "declare \"fake\" {\n\texport \"o\" {\n\t\tvalue = \"x\"\n\t}\n}\n\nfake \"m\" {}\n",
     {NULL},
     {NULL}},
    {"a declare may have the name of a library group",
     "declare \"constants\" {\n\texport \"o\" {\n\t\tvalue = \"x\"\n\t}\n}\n\nconstants \"m\" {}\n\nfake.sink \"s\" "
     "{\n\ttext = "
     "constants.m.o\n}\n",
     {"fake.sink.s", NULL},
     {NULL}},
    {"an import's components stand in the instance",
     "import.string \"m\" {\n\tcontent = `declare \"a\" {\n\tfake.sink \"s\" {}\n}`\n}\n\nm.a \"i\" {}\n",
     {"import.string.m", "m.a.i/fake.sink.s", NULL},
     {NULL}},
    {"an import in an import",
     "import.string \"m\" {\n\tcontent = `import.string \"n\" {\n\tcontent = \"declare \\\"b\\\" { fake.sink \\\"s\\\" "
     "{\\n}\\n }\"\n}\n\n"
     "declare \"a\" {\n\tn.b \"j\" {}\n}`\n}\n\nm.a \"i\" {}\n",
     {"import.string.m", "import.string.m/import.string.n", "m.a.i/n.b.j/fake.sink.s", NULL},
     {NULL}},
    {"an import in a declare",
     "declare \"x\" {\n\timport.string \"m\" {\n\t\tcontent = `declare \"a\" {\n\tfake.sink \"s\" {}\n}`\n\t}\n\n\tm.a "
     "\"i\" {}\n}\n\nx "
     "\"o\" {}\n",
     {"x.o/import.string.m", "x.o/m.a.i/fake.sink.s", NULL},
     {NULL}},
    {"the content of an import may be an argument",
     "declare \"x\" {\n\targument \"c\" {}\n\n\timport.string \"m\" {\n\t\tcontent = argument.c.value\n\t}\n\n\tm.a "
     "\"i\" {}\n}\n\nx \"o\" "
     "{\n\tc = `declare \"a\" {\n\tfake.sink \"s\" {}\n}`\n}\n",
     {"x.o/import.string.m", "x.o/m.a.i/fake.sink.s", NULL},
     {NULL}},
    {"the content of an import may be an export",
     "declare \"x\" {\n\texport \"c\" {\n\t\tvalue = `declare \"a\" {\n\tfake.sink \"s\" "
     "{}\n}`\n\t}\n}\n\nimport.string \"m\" {\n\tcontent = "
     "x.o.c\n}\n\nx \"o\" {}\n\nm.a \"i\" {}\n",
     {"import.string.m", "m.a.i/fake.sink.s", NULL},
     {NULL}},
    {"items are named by what they are, equal ones counted",
     "foreach \"f\" {\n\tcollection = [\"a-\u00fc b\", 10, 10, true, -1]\n\tvar = \"v\"\n\n\ttemplate {\n\t\tfake.sink "
     "\"s\" "
     "{}\n\t}\n}\n",
     {"foreach.f", "foreach.f/foreach_a_\u00fc_b_1/fake.sink.s", "foreach.f/foreach_10_1/fake.sink.s",
      "foreach.f/foreach_10_2/fake.sink.s", "foreach.f/foreach_true_1/fake.sink.s",
      "foreach.f/foreach__1_1/fake.sink.s", NULL},
     {NULL}},
    {"items are named by their field id",
     "foreach \"f\" {\n\tcollection = [{n = \"x\", p = 1}, {n = \"y\", p = 2}]\n\tvar = \"v\"\n\tid = "
     "\"n\"\n\n\ttemplate "
     "{\n\t\tfake.sink \"s\" {\n\t\t\ttext = v.n\n\t\t}\n\t}\n}\n",
     {"foreach.f", "foreach.f/foreach_x_1/fake.sink.s", "foreach.f/foreach_y_1/fake.sink.s", NULL},
     {NULL}},
    {"hashed texts", /* sha256("a") */
     "foreach \"f\" {\n\tcollection = [\"a\"]\n\tvar = \"v\"\n\thash_string_id = true\n\n\ttemplate {\n\t\tfake.sink "
     "\"s\" {}\n\t}\n}\n",
     {"foreach.f", "foreach.f/foreach_ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb_1/fake.sink.s",
      NULL},
     {NULL}},
    {"a template sees what stands outside and inside",
     "foreach \"f\" {\n\tcollection = [\"a\"]\n\tvar = \"v\"\n\n\ttemplate {\n\t\tfake.hold \"h\" {\n\t\t\tforward_to "
     "= "
     "[fake.sink.s.receiver]\n\t\t}\n\n\t\tfake.source \"o\" {\n\t\t\tforward_to = [fake.hold.h.receiver, "
     "fake.sink.s.receiver]\n\t\t}\n\t}\n}\n\nfake.sink \"s\" {}\n",
     {"foreach.f", "fake.sink.s", "foreach.f/foreach_a_1/fake.hold.h", "foreach.f/foreach_a_1/fake.source.o", NULL},
     {"foreach.f/foreach_a_1/fake.hold.h", "fake.sink.s", NULL}},
    {"foreach in foreach, declare in foreach, argument in template",
     "declare \"x\" {\n\targument \"l\" {}\n\n\tforeach \"f\" {\n\t\tcollection = argument.l.value\n\t\tvar = "
     "\"v\"\n\n\t\ttemplate "
     "{\n\t\t\tdeclare \"y\" {\n\t\t\t\tfake.sink \"s\" {\n\t\t\t\t\ttext = v\n\t\t\t\t}\n\t\t\t}\n\n\t\t\tforeach "
     "\"g\" "
     "{\n\t\t\t\tcollection = [v]\n\t\t\t\tvar = \"w\"\n\n\t\t\t\ttemplate {\n\t\t\t\t\ty \"i\" "
     "{}\n\t\t\t\t}\n\t\t\t}\n\t\t}\n\t}\n}\n\nx "
     "\"o\" {\n\tl = [\"a\"]\n}\n",
     {"x.o/foreach.f", "x.o/foreach.f/foreach_a_1/foreach.g",
      "x.o/foreach.f/foreach_a_1/foreach.g/foreach_a_1/y.i/fake.sink.s", NULL},
     {NULL}},
    {"no items",
     "foreach \"f\" {\n\tcollection = []\n\tvar = \"v\"\n\n\ttemplate {\n\t\tfake.sink \"s\" {}\n\t}\n}\n",
     {"foreach.f", NULL},
     {NULL}},
};

static void right_modules_expand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        struct config *c = NULL;
        struct buf out;
        size_t n = 0;

        buf_init(&out, 1 << 20);
        if (load_text(&c, fine[i].text, STABILITY_EXPERIMENTAL, &out) != OK || check(fine[i].text, &out) != OK)
            fail_msg("%s: refused:\n%s", fine[i].name, out.ptr);
        while (fine[i].ids[n] != NULL) {
            if (n >= c->n_ordered || !slice_eq_str(c->blocks[c->order[n]].id, fine[i].ids[n]))
                fail_msg("%s: block %zu is not %s but %.*s", fine[i].name, n, fine[i].ids[n],
                         SLICE_ARG(n < c->n_ordered ? c->blocks[c->order[n]].id : slice_str("nothing")));
            n++;
        }
        assert_int_equal(c->n_ordered, n);
        for (size_t k = 0; fine[i].needs[k] != NULL; k++) {
            const struct config_block *last = &c->blocks[c->order[n - 1]];

            if (k >= last->n_needs || !slice_eq_str(c->blocks[last->needs[k]].id, fine[i].needs[k]))
                fail_msg("%s: does not need %s", fine[i].name, fine[i].needs[k]);
        }
        config_unref(c);
        buf_release(&out);
    }
}

static void what_is_known_only_when_running_is_pending(void **state)
{
    const char *text =
        "fake.value \"v\" {}\n\nimport.string \"m\" {\n\tcontent = fake.value.v.content\n}\n\nm.a \"i\" "
        "{}\n\nfake.source \"s\" {\n\tforward_to = [m.a.i.receiver]\n}\n\nforeach \"f\" {\n\tcollection = "
        "[fake.value.v.content]\n\tvar = \"v\"\n\n\ttemplate {\n\t\tfake.sink \"s\" {}\n\t}\n}\n";
    struct config *c = NULL;
    const struct config_scope *scope;
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_int_equal(load_text(&c, text, STABILITY_EXPERIMENTAL, &out), OK);
    assert_int_equal(c->n, 4);
    scope = config_scope_by_path(c, SLICE_LIT("m.a.i"));
    assert_non_null(scope);
    assert_true(scope->is_pending);
    assert_true(slice_eq_str(scope->waits_for, "import.string.m"));
    config_unref(c);
    buf_reset(&out);
    assert_int_equal(check(text, &out), OK);
    assert_non_null(strstr(out.ptr, "\"import.string.m\" is not checked"));
    assert_non_null(strstr(out.ptr, "\"foreach.f\" is not checked"));
    buf_release(&out);
}

static void an_unset_variable_leaves_no_error_behind_an_argument(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    if (check("declare \"x\" {\n\targument \"a\" {}\n\n\tfake.sink \"s\" {\n\t\ttext = "
              "encoding.from_json(argument.a.value)\n\t}\n}\n\nx \"i\" {\n\ta = "
              "sys.env(\"HYAGENT_TEST_UNSET_4711\")\n}\n",
              &out) != OK)
        fail_msg("%s", out.ptr);
    assert_non_null(strstr(out.ptr, "HYAGENT_TEST_UNSET_4711"));
    buf_release(&out);
}

/* --- files --- */

struct files {
    char folder[64];
};

static void files_begin(struct files *f)
{
    snprintf(f->folder, sizeof f->folder, "/tmp/hy_modules_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
}

static void files_write(const struct files *f, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    fclose(file);
}

static void files_end(const struct files *f, const char *const *names)
{
    char path[256];

    for (size_t i = 0; names[i] != NULL; i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(f->folder), 0);
}

static void a_folder_is_one_module_and_module_path_its_folder(void **state)
{
    struct files f;
    char text[512];
    struct config *c = NULL;
    struct buf out;

    (void)state;
    files_begin(&f);
    files_write(&f, "one.alloy", "declare \"a\" {\n\tb \"j\" {}\n}\n");
    files_write(&f, "two.river", "declare \"b\" {\n\tfake.sink \"s\" {\n\t\ttext = module_path\n\t}\n}\n");
    files_write(&f, "x_test.river", "not river");
    files_write(&f, "note.txt", "not river either");
    snprintf(text, sizeof text, "import.file \"m\" {\n\tfilename = \"%s\"\n}\n\nm.a \"i\" {}\n", f.folder);
    buf_init(&out, 65536);
    if (load_text(&c, text, STABILITY_GA, &out) != OK)
        fail_msg("%s", out.ptr);
    assert_true(slice_eq_str(c->blocks[c->order[1]].id, "m.a.i/b.j/fake.sink.s"));
    assert_true(slice_eq_str(c->blocks[c->order[1]].scope->module_path, f.folder));
    assert_int_equal(c->n_files, 4); /* the text itself, the folder, two files */
    assert_true(c->files[0].is_main);
    assert_true(c->files[1].is_folder);
    config_unref(c);
    buf_release(&out);
    files_end(&f, (const char *const[]){"one.alloy", "two.river", "x_test.river", "note.txt", NULL});
}

static void modules_find_others_by_module_path(void **state)
{
    struct files f;
    char text[512];
    struct config *c = NULL;
    struct buf out;

    (void)state;
    files_begin(&f);
    files_write(&f, "a.alloy",
                "import.file \"n\" {\n\tfilename = file.path_join(module_path, \"b.alloy\")\n}\n\ndeclare \"a\" "
                "{\n\tn.b \"j\" {}\n}\n");
    files_write(&f, "b.alloy", "declare \"b\" {\n\tfake.sink \"s\" {}\n}\n");
    snprintf(text, sizeof text, "import.file \"m\" {\n\tfilename = \"%s/a.alloy\"\n}\n\nm.a \"i\" {}\n", f.folder);
    buf_init(&out, 65536);
    if (load_text(&c, text, STABILITY_GA, &out) != OK)
        fail_msg("%s", out.ptr);
    assert_true(slice_eq_str(c->blocks[c->order[2]].id, "m.a.i/n.b.j/fake.sink.s"));
    config_unref(c);
    buf_release(&out);
    files_end(&f, (const char *const[]){"a.alloy", "b.alloy", NULL});
}

static void an_error_in_an_imported_file_names_its_place(void **state)
{
    struct files f;
    char text[512], want[512];
    struct config *c = NULL;
    struct buf out;

    (void)state;
    files_begin(&f);
    files_write(&f, "m.alloy", "declare \"a\" {\n\n\tfake.sink \"s\" {\n\t\tnme = 1\n\t}\n}\n");
    snprintf(text, sizeof text, "import.file \"m\" {\n\tfilename = \"%s/m.alloy\"\n}\n\nm.a \"i\" {}\n", f.folder);
    snprintf(want, sizeof want, "%s/m.alloy:4:3: error:", f.folder);
    buf_init(&out, 65536);
    assert_int_equal(check(text, &out), INVALID);
    if (strstr(out.ptr, want) == NULL)
        fail_msg("wanted %s, got %s", want, out.ptr);
    buf_release(&out);
    (void)c;
    files_end(&f, (const char *const[]){"m.alloy", NULL});
}

static void a_module_that_imports_itself_is_named(void **state)
{
    struct files f;
    char text[512];
    struct buf out;

    (void)state;
    files_begin(&f);
    snprintf(text, sizeof text, "import.file \"n\" {\n\tfilename = \"%s/b.alloy\"\n}\n", f.folder);
    files_write(&f, "a.alloy", text);
    snprintf(text, sizeof text, "import.file \"n\" {\n\tfilename = \"%s/a.alloy\"\n}\n", f.folder);
    files_write(&f, "b.alloy", text);
    buf_init(&out, 65536);
    assert_int_equal(check(text, &out), INVALID);
    if (strstr(out.ptr, "modules import each other in a cycle: ") == NULL)
        fail_msg("%s", out.ptr);
    buf_release(&out);
    files_end(&f, (const char *const[]){"a.alloy", "b.alloy", NULL});
}

/* --- limits --- */

/* A second, and what the sanitizers take of a machine that does other things. */
#if defined(__SANITIZE_THREAD__)
#define MOST_NS 8000000000
#elif defined(__SANITIZE_ADDRESS__)
#define MOST_NS 2000000000
#else
#define MOST_NS 1000000000
#endif

static void expect_limit(const char *text, const char *want)
{
    struct buf out;
    int64_t started_ns = clock_mono_ns(clock_system());
    int64_t took_ns;
    enum code rc;

    buf_init(&out, 1 << 20);
    rc = check(text, &out);
    took_ns = clock_mono_ns(clock_system()) - started_ns;
    if (rc != INVALID || strstr(out.ptr, want) == NULL)
        fail_msg("wanted \"%s\", got %s:\n%s", want, code_name(rc), out.ptr);
    if (took_ns > MOST_NS)
        fail_msg("%s took %lld ms", want, (long long)(took_ns / 1000000));
    buf_release(&out);
}

static void a_bomb_of_declares_ends_at_the_limit_of_blocks(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 65536);
    buf_add_str(&text, "declare \"d0\" {\n\tfake.sink \"s\" {}\n}\n");
    for (int i = 1; i <= 24; i++)
        buf_printf(&text, "declare \"d%d\" {\n\td%d \"a\" {}\n\td%d \"b\" {}\n}\n", i, i - 1, i - 1);
    buf_add_str(&text, "d24 \"x\" {}\n");
    buf_add_char(&text, '\0');
    expect_limit(text.ptr, "goes over the limit of 20000 blocks from modules");
    buf_release(&text);
}

static void modules_end_at_a_depth(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 65536);
    buf_add_str(&text, "declare \"d0\" {\n\tfake.sink \"s\" {}\n}\n");
    for (int i = 1; i <= 40; i++)
        buf_printf(&text, "declare \"d%d\" {\n\td%d \"a\" {}\n}\n", i, i - 1);
    buf_add_str(&text, "d40 \"x\" {}\n");
    buf_add_char(&text, '\0');
    expect_limit(text.ptr, "goes over the limit of 32 modules inside modules");
    buf_release(&text);
}

static void items_have_a_limit(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_add_str(&text, "foreach \"f\" {\n\tcollection = [");
    for (int i = 0; i <= LIMIT_FOREACH_ITEMS; i++)
        buf_printf(&text, "%d, ", i);
    buf_add_str(&text, "]\n\tvar = \"v\"\n\n\ttemplate {}\n}\n");
    buf_add_char(&text, '\0');
    expect_limit(text.ptr, "goes over the limit of 5000 items of foreach blocks");
    buf_release(&text);
}

static void imports_have_a_limit(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_add_str(&text, "declare \"d\" {\n\timport.string \"m\" {\n\t\tcontent = \"// nothing\"\n\t}\n}\n");
    for (int i = 0; i <= LIMIT_MODULE_IMPORTS; i++)
        buf_printf(&text, "d \"i%d\" {}\n", i);
    buf_add_char(&text, '\0');
    expect_limit(text.ptr, "goes over the limit of 1000 imports");
    buf_release(&text);
}

static void a_chain_of_doubled_values_is_evaluated_once_each(void **state)
{
    struct buf text, out;
    int64_t started_ns = clock_mono_ns(clock_system());

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&out, 65536);
    buf_add_str(&text, "declare \"d\" {\n\targument \"a\" {}\n\n\texport \"e\" {\n\t\tvalue = argument.a.value + "
                       "argument.a.value - argument.a.value\n\t}\n}\n\nd \"i0\" {\n\ta = 1\n}\n");
    for (int i = 1; i <= 300; i++)
        buf_printf(&text, "d \"i%d\" {\n\ta = d.i%d.e + d.i%d.e - d.i%d.e\n}\n", i, i - 1, i - 1, i - 1);
    buf_add_str(&text, "fake.sink \"s\" {\n\ttext = d.i300.e\n}\n");
    buf_add_char(&text, '\0');
    if (check(text.ptr, &out) != OK)
        fail_msg("%s", out.ptr);
    assert_true(clock_mono_ns(clock_system()) - started_ns < 1000000000);
    buf_release(&out);
    buf_release(&text);
}

static void references_in_all_have_a_limit(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 4 << 20);
    buf_add_str(&text, "declare \"d\" {\n\tfake.sink \"s\" {\n\t\tforward_to = [");
    for (int i = 0; i < 4000; i++)
        buf_add_str(&text, "a,");
    buf_add_str(&text, "]\n\t}\n}\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "d \"i%d\" {}\n", i);
    buf_add_char(&text, '\0');
    expect_limit(text.ptr, "goes over the limit of 1000000 references in all");
    buf_release(&text);
}

static void exports_used_all_at_once_have_a_limit(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 4 << 20);
    buf_add_str(&text, "declare \"d\" {\n");
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "\texport \"e%d\" {\n\t\tvalue = %d\n\t}\n", i, i);
    buf_add_str(&text, "}\n\nd \"x\" {}\n");
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "fake.sink \"s%d\" {\n\ttext = d.x[\"e%d\"]\n}\n", i, i);
    buf_add_char(&text, '\0');
    expect_limit(text.ptr, "goes over the limit of 1000000 references between components");
    buf_release(&text);
}

static void texts_that_double_end_at_the_limit_of_work(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_add_str(&text, "declare \"d\" {\n\targument \"a\" {}\n\n\texport \"e\" {\n\t\tvalue = argument.a.value + "
                       "argument.a.value\n\t}\n}\n\nd \"i0\" {\n\ta = \"0123456789\"\n}\n");
    for (int i = 1; i <= 40; i++)
        buf_printf(&text, "d \"i%d\" {\n\ta = d.i%d.e\n}\n", i, i - 1);
    buf_add_char(&text, '\0');
    expect_limit(text.ptr, "error");
    buf_release(&text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_modules_are_refused_in_words),
        cmocka_unit_test(foreach_needs_the_experimental_level),
        cmocka_unit_test(right_modules_expand),
        cmocka_unit_test(what_is_known_only_when_running_is_pending),
        cmocka_unit_test(an_unset_variable_leaves_no_error_behind_an_argument),
        cmocka_unit_test(a_folder_is_one_module_and_module_path_its_folder),
        cmocka_unit_test(modules_find_others_by_module_path),
        cmocka_unit_test(an_error_in_an_imported_file_names_its_place),
        cmocka_unit_test(a_module_that_imports_itself_is_named),
        cmocka_unit_test(a_bomb_of_declares_ends_at_the_limit_of_blocks),
        cmocka_unit_test(modules_end_at_a_depth),
        cmocka_unit_test(items_have_a_limit),
        cmocka_unit_test(imports_have_a_limit),
        cmocka_unit_test(a_chain_of_doubled_values_is_evaluated_once_each),
        cmocka_unit_test(references_in_all_have_a_limit),
        cmocka_unit_test(exports_used_all_at_once_have_a_limit),
        cmocka_unit_test(texts_that_double_end_at_the_limit_of_work),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)emit;
    (void)world_begin;
    (void)noted;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
