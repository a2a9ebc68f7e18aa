//! The table of all functions.

use super::Answer;
use super::Function;
use super::Judge;
use super::Needs;
use super::Parameter;
use super::Type;
use super::Type::Any;
use super::Type::Comparing;
use super::Type::Integer;
use super::Type::Pattern;
use super::Type::Roles;
use super::Type::Text;
use super::Type::Truth;
use super::choice;
use super::dates;
use super::diacritics;
use super::generated;
use super::lists;
use super::numbers;
use super::replace;
use super::roles;
use super::text;
use super::words;
use crate::mapping::evaluate::Call;

const fn required(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        required: true,
    }
}

const fn optional(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        required: false,
    }
}

const fn function(
    name: &'static str,
    parameters: &'static [Parameter],
    gives: Type,
    run: for<'a> fn(&Call<'a>) -> Answer<'a>,
) -> Function {
    Function {
        name,
        parameters,
        repeats: 0,
        gives,
        needs: Needs::Nothing,
        judge: None,
        run,
    }
}

impl Function {
    /// Lets the last `count` parameters be repeated, together.
    const fn repeating(mut self, count: usize) -> Self {
        self.repeats = count;
        self
    }

    const fn needing(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    const fn judged(mut self, judge: Judge) -> Self {
        self.judge = Some(judge);
        self
    }
}

const SOURCE: Parameter = required("source", Text);
const EXPRESSION: Parameter = required("Expression", Any);
const ROLES: &[Parameter] = &[required("[appRoleAssignments]", Roles)];
const CASED: &[Parameter] = &[SOURCE, optional("culture", Text)];

/// Every function, by name.
pub static FUNCTIONS: &[Function] = &[
    function("Append", &[SOURCE, required("suffix", Text)], Text, text::append),
    function("AppRoleAssignments", ROLES, Any, roles::values),
    function("AppRoleAssignmentsComplex", ROLES, Any, roles::complex),
    function("AssertiveAppRoleAssignmentsComplex", ROLES, Any, roles::complex),
    function(
        "BitAnd",
        &[required("value1", Integer), required("value2", Integer)],
        Integer,
        numbers::bit_and,
    ),
    function("CBool", &[required("Expression", Truth)], Truth, choice::cbool),
    function("CDate", &[required("expression", Text)], Text, dates::cdate),
    function("Coalesce", &[required("source", Any)], Any, choice::coalesce).repeating(1),
    function("ConvertToBase64", &[SOURCE], Text, text::convert_to_base64),
    function("ConvertToUTF8Hex", &[SOURCE], Text, text::convert_to_utf8_hex),
    function("Count", &[required("attribute", Any)], Integer, lists::count),
    function("CStr", &[required("value", Any)], Text, text::cstr),
    function(
        "DateAdd",
        &[
            required("interval", Text),
            required("value", Integer),
            required("dateTime", Text),
        ],
        Text,
        dates::date_add,
    )
    .judged(dates::judge_interval),
    function(
        "DateDiff",
        &[
            required("interval", Text),
            required("date1", Text),
            required("date2", Text),
        ],
        Integer,
        dates::date_diff,
    )
    .judged(dates::judge_interval),
    function(
        "DateFromNum",
        &[required("value", Integer)],
        Text,
        dates::date_from_num,
    ),
    function("DefaultDomain", &[], Text, generated::default_domain).needing(Needs::Tenant),
    function(
        "FormatDateTime",
        &[
            SOURCE,
            optional("dateTimeStyles", Text),
            required("inputFormat", Text),
            optional("outputFormat", Text),
        ],
        Text,
        dates::format_date_time,
    )
    .judged(dates::judge_formats),
    function("Guid", &[], Text, generated::guid).needing(Needs::Chance),
    function(
        "IgnoreFlowIfNullOrEmpty",
        &[required("expression", Any)],
        Any,
        choice::ignore_flow_if_null_or_empty,
    ),
    function(
        "IIF",
        &[
            required("condition", Truth),
            optional("valueIfTrue", Any),
            optional("valueIfFalse", Any),
        ],
        Any,
        choice::iif,
    ),
    function(
        "InStr",
        &[
            required("value1", Text),
            required("value2", Text),
            optional("start", Integer),
            optional("compareType", Comparing),
        ],
        Integer,
        words::in_str,
    ),
    function("IsNothing", &[EXPRESSION], Truth, choice::is_null),
    function("IsNull", &[EXPRESSION], Truth, choice::is_null),
    function("IsNullOrEmpty", &[EXPRESSION], Truth, choice::is_null_or_empty),
    function("IsPresent", &[EXPRESSION], Truth, choice::is_present),
    function("IsString", &[EXPRESSION], Truth, choice::is_string),
    function(
        "Item",
        &[required("attribute", Any), required("index", Integer)],
        Any,
        lists::item,
    ),
    function(
        "Join",
        &[required("separator", Text), required("source", Any)],
        Text,
        text::join,
    )
    .repeating(1),
    function(
        "Left",
        &[required("String", Text), required("NumChars", Integer)],
        Text,
        text::left,
    ),
    function(
        "Mid",
        &[SOURCE, required("start", Integer), required("length", Integer)],
        Text,
        text::mid,
    ),
    function(
        "NormalizeDiacritics",
        &[SOURCE],
        Text,
        diacritics::normalize_diacritics,
    ),
    function("Not", &[required("source", Truth)], Truth, choice::not),
    function("Now", &[], Text, dates::now).needing(Needs::Time),
    function(
        "NumFromDate",
        &[required("value", Text)],
        Integer,
        dates::num_from_date,
    ),
    function(
        "PCase",
        &[SOURCE, optional("wordSeparators", Text)],
        Text,
        words::p_case,
    ),
    function(
        "Prepend",
        &[required("prefix", Text), SOURCE],
        Text,
        text::prepend,
    ),
    function(
        "RandomString",
        &[
            required("Length", Integer),
            required("MinimumNumbers", Integer),
            required("MinimumSpecialCharacters", Integer),
            required("MinimumCapital", Integer),
            required("MinimumLowerCase", Integer),
            optional("CharactersToAvoid", Text),
        ],
        Text,
        generated::random_string,
    )
    .needing(Needs::Chance),
    function("Redact", &[required("attribute", Any)], Any, choice::same),
    function(
        "RemoveDuplicates",
        &[required("attribute", Any)],
        Any,
        lists::remove_duplicates,
    ),
    function(
        "Replace",
        &[
            SOURCE,
            optional("oldValue", Text),
            optional("regexPattern", Pattern),
            optional("regexGroupName", Text),
            optional("replacementValue", Text),
            optional("replacementAttributeName", Text),
            optional("template", Text),
        ],
        Text,
        replace::replace,
    )
    .judged(replace::judge),
    function("SingleAppRoleAssignment", ROLES, Text, roles::single),
    function("Split", &[SOURCE, required("delimiter", Text)], Any, lists::split)
        .judged(lists::judge_delimiter),
    function("StripSpaces", &[SOURCE], Text, text::strip_spaces),
    function(
        "Switch",
        &[
            required("source", Any),
            optional("defaultValue", Any),
            required("key", Any),
            optional("value", Any),
        ],
        Any,
        choice::switch,
    )
    .repeating(2),
    function("ToLower", CASED, Text, words::to_lower),
    function("ToUpper", CASED, Text, words::to_upper),
    function(
        "Word",
        &[
            required("String", Text),
            required("WordNumber", Integer),
            required("Delimiters", Text),
        ],
        Text,
        words::word,
    ),
];
