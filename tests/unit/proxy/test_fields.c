/* Field lists: names recognised, searches, removal, hop-by-hop fields. */
#include <CUnit/Basic.h>

#include "proxy/fields.h"

static struct arena arena;

static struct field_list list_of(const char *const pairs[][2], size_t count) {
    struct field_list list = {0};
    for (size_t i = 0; i < count; i++) {
        fields_add(&list, &arena, span_of(pairs[i][0]), span_of(pairs[i][1]));
    }
    return list;
}
#define LIST(...)                                                                                                      \
    list_of((const char *const[][2]){__VA_ARGS__},                                                                     \
            sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(const char *const[2]))

/* "name=value;" of all fields, for comparison. */
static const char *text_of(const struct field_list *list) {
    const char *text = "";
    for (size_t i = 0; i < list->count; i++) {
        const struct field *field = &list->fields[i];
        text = arena_printf(&arena, "%s%.*s=%.*s;", text, (int)field->name.len, field->name.ptr, (int)field->value.len,
                            field->value.ptr);
    }
    return text;
}

static void every_name_is_recognised(void) {
    static const struct {
        enum field_id id;
        const char *name;
    } rows[] = {
#define X(constant, name) {FIELD_##constant, name},
        FIELD_NAMES(X)
#undef X
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char changed[32];
        size_t length = strlen(rows[i].name);
        memcpy(changed, rows[i].name, length + 1);
        CU_ASSERT_EQUAL(field_id_of(span_of(changed)), rows[i].id);
        for (size_t j = 0; j < length; j += 2) {
            changed[j] = (char)(changed[j] >= 'a' && changed[j] <= 'z' ? changed[j] - 32 : changed[j]);
        }
        CU_ASSERT_EQUAL(field_id_of(span_of(changed)), rows[i].id);
        changed[length - 1] = '_';
        CU_ASSERT_EQUAL(field_id_of(span_of(changed)), FIELD_OTHER);
        CU_ASSERT_EQUAL(field_id_of((struct span){rows[i].name, length - 1}), FIELD_OTHER);
    }
    CU_ASSERT_EQUAL(field_id_of(SPAN_LITERAL("")), FIELD_OTHER);
    CU_ASSERT_EQUAL(field_id_of(SPAN_LITERAL("x")), FIELD_OTHER);
    CU_ASSERT_EQUAL(field_id_of(SPAN_LITERAL("accept-encoding")), FIELD_OTHER);
}

static void fields_are_found_in_order(void) {
    struct field_list list = LIST({"Host", "a"}, {"X-One", "1"}, {"x-one", "2"}, {"Via", "v"}, {"VIA", "w"});
    CU_ASSERT_EQUAL(list.count, 5);
    CU_ASSERT(span_equal(fields_find(&list, SPAN_LITERAL("X-ONE"))->value, SPAN_LITERAL("1")));
    CU_ASSERT(span_equal(fields_find_id(&list, FIELD_VIA)->value, SPAN_LITERAL("v")));
    CU_ASSERT(span_equal(fields_find(&list, SPAN_LITERAL("via"))->value, SPAN_LITERAL("v")));
    CU_ASSERT_EQUAL(fields_count_id(&list, FIELD_VIA), 2);
    CU_ASSERT_PTR_NULL(fields_find_id(&list, FIELD_DATE));
    CU_ASSERT_PTR_NULL(fields_find(&list, SPAN_LITERAL("date")));
    CU_ASSERT_PTR_NULL(fields_find(&list, SPAN_LITERAL("x-two")));
}

static void a_list_grows(void) {
    struct field_list list = {0};
    for (size_t i = 0; i < 1000; i++) {
        fields_add(&list, &arena, i == 999 ? SPAN_LITERAL("Last") : SPAN_LITERAL("X"), SPAN_LITERAL("v"));
    }
    CU_ASSERT_EQUAL(list.count, 1000);
    CU_ASSERT_PTR_EQUAL(fields_find(&list, SPAN_LITERAL("last")), &list.fields[999]);
}

static void removal_keeps_the_order(void) {
    struct field_list list = LIST({"A", "1"}, {"Via", "x"}, {"B", "2"}, {"a", "3"}, {"Via", "y"}, {"C", "4"});
    fields_remove_id(&list, FIELD_VIA);
    CU_ASSERT_STRING_EQUAL(text_of(&list), "A=1;B=2;a=3;C=4;");
    CU_ASSERT_PTR_NULL(fields_find_id(&list, FIELD_VIA));
    fields_remove(&list, SPAN_LITERAL("a"));
    CU_ASSERT_STRING_EQUAL(text_of(&list), "B=2;C=4;");
    fields_set(&list, &arena, SPAN_LITERAL("b"), SPAN_LITERAL("5"));
    CU_ASSERT_STRING_EQUAL(text_of(&list), "C=4;b=5;");
    fields_remove(&list, SPAN_LITERAL("absent"));
    CU_ASSERT_STRING_EQUAL(text_of(&list), "C=4;b=5;");
}

static void tokens_are_whole_elements(void) {
    struct field_list list = LIST({"Connection", " keep-alive , ,X-Close"}, {"Connection", "Upgrade"});
    CU_ASSERT(fields_has_token(&list, FIELD_CONNECTION, SPAN_LITERAL("upgrade")));
    CU_ASSERT(fields_has_token(&list, FIELD_CONNECTION, SPAN_LITERAL("Keep-Alive")));
    CU_ASSERT_FALSE(fields_has_token(&list, FIELD_CONNECTION, SPAN_LITERAL("close")));
    CU_ASSERT_FALSE(fields_has_token(&list, FIELD_UPGRADE, SPAN_LITERAL("close")));
}

static void hop_by_hop_fields_go(void) {
    struct field_list list =
        LIST({"Host", "h"}, {"Connection", "close, X-Secret, Upgrade"}, {"Keep-Alive", "5"}, {"TE", "trailers"},
             {"X-Secret", "1"}, {"Accept", "a"}, {"Transfer-Encoding", "chunked"}, {"Upgrade", "websocket"},
             {"Trailer", "X"}, {"Proxy-Connection", "close"}, {"Proxy-Authorization", "p"}, {"x-secret", "2"},
             {"Connection", "user-agent"}, {"User-Agent", "u"}, {"Proxy-Authenticate", "q"});
    fields_remove_hop_by_hop(&list);
    CU_ASSERT_STRING_EQUAL(text_of(&list), "Host=h;Accept=a;");
}

static void connection_cannot_name_essentials(void) {
    struct field_list list =
        LIST({"Host", "h"}, {"Content-Length", "3"}, {"Cookie", "c"}, {"Authorization", "a"},
             {"Content-Encoding", "gzip"}, {"X-Forwarded-For", "192.0.2.1"}, {"X-Other", "o"},
             {"Connection", "host, content-length, cookie, authorization, content-encoding, x-forwarded-for, x-other"});
    fields_remove_hop_by_hop(&list);
    CU_ASSERT_STRING_EQUAL(text_of(&list), "Host=h;Content-Length=3;Cookie=c;Authorization=a;Content-Encoding=gzip;"
                                           "X-Forwarded-For=192.0.2.1;");
}

static void connection_names_trailers_too(void) {
    struct field_list head = LIST({"Connection", "close, X-Secret"}, {"Host", "h"}, {"Connection", "x-other"});
    struct field_list trailers = LIST({"X-Sum", "1"}, {"x-secret", "2"}, {"X-Other", "3"}, {"X-Last", "4"});
    fields_remove_named(&trailers, &head);
    CU_ASSERT_STRING_EQUAL(text_of(&trailers), "X-Sum=1;X-Last=4;");
    struct field_list without = LIST({"Host", "h"});
    fields_remove_named(&trailers, &without);
    CU_ASSERT_STRING_EQUAL(text_of(&trailers), "X-Sum=1;X-Last=4;");
}

static void forwarded_fields_in_every_spelling(void) {
    static const char *const are[] = {"Forwarded",       "X-Forwarded-For",  "x-forwarded-port", "X-Forwarded-",
                                      "X-Real-IP",       "X_Forwarded_For",  "X-Forwarded_Host", "x_real_ip",
                                      "X.Forwarded.For", "X!FORWARDED-PROTO"};
    static const char *const are_not[] = {"X",        "X-Forwarded",     "X-Real-IPs",
                                          "X-Real-I", "Y-Forwarded-For", "X1Forwarded-For"};
    for (size_t i = 0; i < sizeof are / sizeof *are; i++) {
        const struct field field = {span_of(are[i]), SPAN_LITERAL("a"), field_id_of(span_of(are[i]))};
        CU_ASSERT(fields_is_forwarded(&field));
    }
    for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++) {
        const struct field field = {span_of(are_not[i]), SPAN_LITERAL("a"), field_id_of(span_of(are_not[i]))};
        CU_ASSERT_FALSE(fields_is_forwarded(&field));
    }
}

static void a_copy_is_its_own(void) {
    struct field_list list = LIST({"A", "1"}, {"Via", "2"});
    struct field_list copy;
    fields_copy(&copy, &list, &arena);
    fields_remove_id(&copy, FIELD_VIA);
    fields_add(&copy, &arena, SPAN_LITERAL("B"), SPAN_LITERAL("3"));
    CU_ASSERT_STRING_EQUAL(text_of(&list), "A=1;Via=2;");
    CU_ASSERT_STRING_EQUAL(text_of(&copy), "A=1;B=3;");
    struct field_list empty = {0};
    fields_copy(&copy, &empty, &arena);
    fields_add(&copy, &arena, SPAN_LITERAL("B"), SPAN_LITERAL("3"));
    CU_ASSERT_STRING_EQUAL(text_of(&copy), "B=3;");
}

int main(void) {
    arena_init(&arena, NULL, 0);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("fields", NULL, NULL);
    CU_ADD_TEST(suite, every_name_is_recognised);
    CU_ADD_TEST(suite, fields_are_found_in_order);
    CU_ADD_TEST(suite, a_list_grows);
    CU_ADD_TEST(suite, removal_keeps_the_order);
    CU_ADD_TEST(suite, tokens_are_whole_elements);
    CU_ADD_TEST(suite, hop_by_hop_fields_go);
    CU_ADD_TEST(suite, connection_cannot_name_essentials);
    CU_ADD_TEST(suite, connection_names_trailers_too);
    CU_ADD_TEST(suite, forwarded_fields_in_every_spelling);
    CU_ADD_TEST(suite, a_copy_is_its_own);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_reset(&arena);
    return failures > 0;
}
