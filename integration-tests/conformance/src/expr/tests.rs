//! Every function of FORMAT.md, section 5, on values and on null.

use super::*;

fn eval(expression: &str, v: &Val) -> Result<Val, UserError> {
    let k = Val::text("key");
    Expr::parse(expression).unwrap().eval(Scope::kv(&k, v))
}

fn text(expression: &str, v: &str) -> String {
    eval(expression, &Val::text(v)).unwrap().show()
}

#[test]
fn sources_read_the_scope() {
    let [key, value, element, mapped, right] = ["K", "V", "E", "M", "3"].map(Val::text);
    let left = Val::Long(2);
    let header = |name: &str| (name == "h").then(|| b"x".to_vec());
    let join = Scope::join(&key, &left, &right).element(&element);
    let scope = Scope { v: &value, m: &mapped, ts: 7, topic: Some("in"), header: Some(&header), ..join };
    let cases = [
        ("k", Val::text("K")),
        ("v", Val::text("V")),
        ("e", Val::text("E")),
        ("m", Val::text("M")),
        ("l", Val::Long(2)),
        ("r", Val::text("3")),
        ("kv::", Val::text("K:V")),
        ("lr:+", Val::text("2+3")),
        ("klr:/", Val::text("K/2/3")),
        ("kmlr:/", Val::text("K/M/2/3")),
        ("sum", Val::Long(5)),
        ("ts", Val::Long(7)),
        ("topic", Val::text("in")),
        ("header:h", Val::text("x")),
        ("header:none", Val::Null),
        ("const:a:b", Val::text("a:b")),
        ("const:", Val::text("")),
        ("long:-4", Val::Long(-4)),
        ("null", Val::Null),
    ];
    for (expression, expected) in cases {
        assert_eq!(Expr::parse(expression).unwrap().eval(scope), Ok(expected), "{expression}");
    }
    let bare = Scope::kv(&Val::Null, &Val::Null);
    assert_eq!(Expr::parse("kv:-").unwrap().eval(bare), Ok(Val::text("null-null")));
    assert_eq!(Expr::parse("topic").unwrap().eval(bare), Ok(Val::Null));
    assert_eq!(Expr::parse("header:h").unwrap().eval(bare), Ok(Val::Null));
}

#[test]
fn stages_on_text() {
    let cases = [
        ("v > upper", "aéz", "AéZ"),
        ("v > lower", "AÉZ", "aÉz"),
        ("v > append:!", "a", "a!"),
        ("v > prefix:p > append: > append:q", "a", "paq"),
        ("v > length", "é", "2"),
        ("v > first_char", "éa", "é"),
        ("v > first_char", "", ""),
        ("v > before:|", "a|b|c", "a"),
        ("v > before:|", "abc", "abc"),
        ("v > after:|", "a|b|c", "b|c"),
        ("v > after:|", "abc", "abc"),
        ("v > hash_mod:1000000", "a", "2220"),
        ("v > const:x", "a", "x"),
        ("v > to_bytes > to_string", "ab", "0x6162"),
    ];
    for (expression, value, expected) in cases {
        assert_eq!(text(expression, value), expected, "{expression} on {value}");
    }
}

#[test]
fn stages_on_numbers_wrap_and_keep_their_types() {
    let of = |expression, v| eval(expression, &v).unwrap();
    assert_eq!(of("v > parse_long", Val::text("-12")), Val::Long(-12));
    assert_eq!(of("v > to_int", Val::Long(1 << 32 | 5)), Val::Int(5));
    assert_eq!(of("v > to_double > half", Val::text("7")), Val::Double(3.5));
    assert_eq!(of("v > plus:1", Val::Long(i64::MAX)), Val::Long(i64::MIN));
    assert_eq!(of("v > times:-3", Val::Int(4)), Val::Long(-12));
    assert_eq!(of("v > mod:3", Val::Long(-1)), Val::Long(2));
    assert_eq!(of("v > mod:3", Val::Long(4)), Val::Long(1));
    assert_eq!(of("v > null_if_gt:3", Val::Long(4)), Val::Null);
    assert_eq!(of("v > null_if_gt:3", Val::Long(3)), Val::Long(3));
    assert_eq!(of("v > null_if:3", Val::Long(3)), Val::Null);
    assert_eq!(of("v > null_if_contains:2", Val::Long(120)), Val::Null);
    assert_eq!(of("v > null_if_contains:2", Val::Long(10)), Val::Long(10));
    assert_eq!(eval("v > plus:1", &Val::text("x")), Err(UserError("not a number: x".to_owned())));
}

#[test]
fn null_passes_through_all_stages_but_those_that_name_it() {
    for stage in ["upper", "append:x", "length", "to_string", "to_bytes", "plus:1", "half", "first_char", "w_key"] {
        assert_eq!(eval(&format!("v > {stage}"), &Val::Null), Ok(Val::Null), "{stage}");
    }
    assert_eq!(eval("v > or:x", &Val::Null), Ok(Val::text("x")));
    assert_eq!(eval("v > or:x", &Val::Long(1)), Ok(Val::Long(1)));
    assert_eq!(eval("v > long:3", &Val::Null), Ok(Val::Long(3)));
    assert_eq!(eval("v > fail_if:null", &Val::Null), Err(UserError("failed on null".to_owned())));
    assert_eq!(eval("v > fail_if:bad", &Val::text("good")), Ok(Val::text("good")));
}

#[test]
fn windowed_keys_have_parts() {
    let windowed = Val::Windowed { key: Box::new(Val::Long(1)), start: 5, end: 9 };
    assert_eq!(eval("v > w_key", &windowed), Ok(Val::Long(1)));
    assert_eq!(eval("v > w_start", &windowed), Ok(Val::Long(5)));
    assert_eq!(eval("v > w_end", &windowed), Ok(Val::Long(9)));
    assert!(eval("v > w_end", &Val::Long(9)).is_err());
}

#[test]
fn predicates_are_false_for_null_unless_they_ask_for_it() {
    let test = |predicate: &str, v: &Val| Predicate::parse(predicate).unwrap().test(Scope::value(v)).unwrap();
    let cases = [
        ("v > always", true, true),
        ("v > never", false, false),
        ("v > is_null", false, true),
        ("v > not_null", true, false),
        ("v > equals:14", true, false),
        ("v > starts_with:1", true, false),
        ("v > contains:4", true, false),
        ("v > len_gt:1", true, false),
        ("v > len_gt:2", false, false),
        ("v > gt:13", true, false),
        ("v > gt:14", false, false),
        ("v > lt:15", true, false),
        ("v > even", true, false),
        ("v > plus:1 > even", false, false),
        ("v > append:! > equals:14!", true, false),
    ];
    for (predicate, on_fourteen, on_null) in cases {
        assert_eq!(test(predicate, &Val::text("14")), on_fourteen, "{predicate}");
        assert_eq!(test(predicate, &Val::Null), on_null, "{predicate} on null");
    }
    assert!(test("v > hash_mod:1000000,2220", &Val::text("a")));
    assert!(!test("v > hash_mod:2,1", &Val::text("a")));
}

#[test]
fn lists_split_and_repeat() {
    let list = |expression: &str, v: &Val| ListExpr::parse(expression).unwrap().list(Scope::value(v)).unwrap();
    let texts = |items: &[&str]| items.iter().map(|item| Val::text(*item)).collect::<Vec<_>>();
    assert_eq!(list("v > words", &Val::text(" a  b ")), texts(&["a", "b"]));
    assert_eq!(list("v > chars", &Val::text("aé")), texts(&["a", "é"]));
    assert_eq!(list("v > none", &Val::text("a")), []);
    assert_eq!(list("v > repeat:2", &Val::Null), [Val::Null, Val::Null]);
    assert_eq!(list("v > words", &Val::Null), []);
    assert_eq!(list("v > chars", &Val::Null), []);
}

#[test]
fn aggregators_fold_a_value_into_the_aggregate() {
    let apply =
        |name: &str, v: &str, a: &Val| Aggregator::parse(name).unwrap().apply(&Val::text("k"), &Val::text(v), a);
    let text = |t: &str| Ok(Val::text(t));
    assert_eq!(apply("concat:-", "b", &Val::Null), text("b"));
    assert_eq!(apply("concat:-", "b", &Val::text("a")), text("a-b"));
    assert_eq!(apply("log:-", "b", &Val::Null), text("-b"));
    assert_eq!(apply("key_concat:;", "b", &Val::text("a")), text("a;k=b"));
    assert_eq!(apply("sum", "2", &Val::Long(3)), Ok(Val::Long(5)));
    assert_eq!(apply("sub", "2", &Val::Null), Ok(Val::Long(-2)));
    assert_eq!(apply("inc", "x", &Val::Long(3)), Ok(Val::Long(4)));
    assert_eq!(apply("dec", "x", &Val::Null), Ok(Val::Long(-1)));
    assert_eq!(apply("max", "2", &Val::Null), Ok(Val::Long(2)));
    assert_eq!(apply("max", "2", &Val::Long(3)), Ok(Val::Long(3)));
    assert_eq!(apply("min", "2", &Val::Long(3)), Ok(Val::Long(2)));
    assert_eq!(apply("first", "b", &Val::text("")), text("b"));
    assert_eq!(apply("first", "b", &Val::text("a")), text("a"));
    assert_eq!(apply("last", "b", &Val::text("a")), text("b"));
    assert_eq!(apply("bag_add", "b", &Val::text("a,c")), text("a,b,c"));
    assert_eq!(apply("bag_add", "b", &Val::Null), text("b"));
    assert_eq!(apply("bag_remove", "b", &Val::text("a,b,b")), text("a,b"));
    assert_eq!(apply("bag_remove", "x", &Val::text("a")), text("a"));
    assert_eq!(apply("null_on:b", "b", &Val::text("a")), Ok(Val::Null));
    assert_eq!(apply("null_on:b", "c", &Val::text("a")), text("a,c"));
    assert_eq!(apply("fail_on:b", "b", &Val::Null), Err(UserError("failed on b".to_owned())));
    assert_eq!(apply("fail_on:b", "c", &Val::Null), text("c"));
}

#[test]
fn reducers_join_two_aggregates() {
    let apply = |name: &str, x: &Val, y: &Val| Reducer::parse(name).unwrap().apply(x, y);
    let (a, b) = (Val::text("a"), Val::text("b"));
    assert_eq!(apply("concat:&", &a, &b), Ok(Val::text("a&b")));
    assert_eq!(apply("concat:&", &Val::Null, &b), Ok(Val::text("b")));
    assert_eq!(apply("concat:&", &a, &Val::text("")), Ok(Val::text("a")));
    assert_eq!(apply("concat:&", &Val::Null, &Val::Null), Ok(Val::text("null")));
    assert_eq!(apply("log:&", &Val::Null, &b), Ok(Val::text("null&b")));
    assert_eq!(apply("sum", &Val::Long(2), &Val::text("3")), Ok(Val::Long(5)));
    assert_eq!(apply("sub", &Val::Long(2), &Val::Long(3)), Ok(Val::Long(-1)));
    assert_eq!(apply("max", &Val::Null, &Val::Long(-3)), Ok(Val::Long(0)));
    assert_eq!(apply("min", &Val::Null, &Val::Long(-3)), Ok(Val::Long(-3)));
    assert_eq!(apply("first", &a, &b), Ok(a.clone()));
    assert_eq!(apply("last", &a, &b), Ok(b.clone()));
    assert_eq!(apply("null_on:b", &a, &b), Ok(Val::Null));
    assert_eq!(apply("null_on:a", &a, &b), Ok(Val::text("a,b")));
    assert_eq!(apply("fail_on:b", &a, &b), Err(UserError("failed on b".to_owned())));
    assert!(Reducer::parse("bag_add").is_err());
}

#[test]
fn initializers_give_a_first_aggregate() {
    for (name, value) in
        [("empty", Val::text("")), ("zero", Val::Long(0)), ("null", Val::Null), ("const:x:y", Val::text("x:y"))]
    {
        assert_eq!(Initializer::parse(name).unwrap().start(), value);
    }
}

#[test]
fn what_the_format_does_not_know_is_refused_by_name() {
    for bad in ["x", "v > nope", "v > plus:x", "long:", "v>upper"] {
        let error = format!("{:#}", Expr::parse(bad).unwrap_err());
        assert!(error.contains(bad), "{error}");
    }
    assert!(Predicate::parse("always").is_err());
    assert!(Predicate::parse("v > upper").is_err());
    assert!(ListExpr::parse("v > even").is_err());
    assert!(Aggregator::parse("nope").is_err());
    assert!(Initializer::parse("one").is_err());
}
