//! The description of the API (`GET /api/v1/openapi.json`, OpenAPI 3.1), made of the tables of routes: what is not in them is
//! not described, and what is in them is.

use std::collections::BTreeMap;

use axum::http::Method;
use utoipa::ToSchema;
use utoipa::openapi::Components;
use utoipa::openapi::ComponentsBuilder;
use utoipa::openapi::Content;
use utoipa::openapi::InfoBuilder;
use utoipa::openapi::OpenApi;
use utoipa::openapi::OpenApiBuilder;
use utoipa::openapi::Paths;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::Required;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::ResponsesBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::path::ParameterBuilder;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::schema::SchemaFormat;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::SecurityScheme;

use super::Body;
use super::Gives;
use super::Least;
use super::Route;
use crate::admin::parameter::Kind;
use crate::admin::parameter::Parameter;
use crate::admin::problem::ProblemDocument;

/// The name of the way to prove who one is.
const TOKEN: &str = "token";

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const EVENTS: &str = "text/event-stream";
const WORDS: &str = "text/plain; charset=utf-8";

/// What a refused request is answered with, whatever the route.
const REFUSALS: [(&str, &str); 9] = [
    ("400", "what is asked for cannot be"),
    ("401", "no token, or one that nobody has"),
    ("403", "it is for another role, or a page of another site asked"),
    ("404", "what is named is not there"),
    ("409", "it does not fit how things are by now"),
    ("413", "the body is larger than any request needs"),
    ("415", "the body must be JSON, and not compressed"),
    ("421", "the request is for another host"),
    ("429", "too much is asked for at once"),
];

/// The description of these routes.
pub(super) fn document(routes: &[Route]) -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas = BTreeMap::new();
    add(&mut schemas, Body::of::<ProblemDocument<'static>>());
    for route in routes {
        let gives = match route.gives {
            Gives::View(body) | Gives::Document(body) | Gives::Order(body) | Gives::Followed(body) => {
                Some(body)
            }
            Gives::Events | Gives::Metrics | Gives::File(_) | Gives::Any => None,
        };
        for body in route.takes.into_iter().chain(gives) {
            add(&mut schemas, body);
        }
        paths.add_path_operation(route.path, vec![method(&route.method)], operation(route));
    }
    let info = InfoBuilder::new()
        .title("melonsync")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What can be asked of a running melonsync, and what it can be told. Errors are problem documents (RFC 9457) with `do`.",
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components(schemas)))
        .build()
}

fn add(schemas: &mut BTreeMap<String, RefOr<Schema>>, body: Body) {
    let mut others = Vec::new();
    (body.others)(&mut others);
    schemas.extend(others);
    schemas.insert((body.name)().into_owned(), (body.schema)());
}

fn components(schemas: BTreeMap<String, RefOr<Schema>>) -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("a token of `[admin]`; on the control socket none is needed"))
        .build();
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(TOKEN, SecurityScheme::Http(bearer))
        .build()
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &Route) -> Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(name(route)))
        .summary(Some(route.what))
        .responses(responses(route));
    for part in route.path.split('/').filter_map(|part| part.strip_prefix('{')) {
        let name = part.trim_end_matches('}');
        let schema = match (name, route.path.starts_with("/api/v1/cycles/")) {
            ("id", true) => text(Some("uuid")),
            _ => text(None),
        };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema));
        operation = operation.parameter(parameter);
    }
    for parameter in route.query {
        operation = operation.parameter(of_query(parameter));
    }
    if let Some(body) = route.takes {
        let content = Content::new(Some(reference(body)));
        let body = RequestBodyBuilder::new().content(JSON, content);
        operation = operation.request_body(Some(body.required(Some(Required::False)).build()));
    }
    let role = match route.least {
        Least::Anybody | Least::Metrics => return operation.securities(Some([])).build(),
        Least::Role(role) => role.as_str(),
    };
    operation
        .security(SecurityRequirement::new(TOKEN, Vec::<String>::new()))
        .extensions(Some(ExtensionsBuilder::new().add("x-role", role).build()))
        .build()
}

/// A name of the operation that programs can use: `post_jobs_job_withheld_release`.
fn name(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1");
    let word = |part: &str| part.replace(['{', '}'], "").replace('.', "_");
    let words = path.split('/').filter(|part| !part.is_empty()).map(word);
    let words: Vec<String> = std::iter::once(route.method.as_str().to_lowercase())
        .chain(words)
        .collect();
    words.join("_")
}

fn of_query(parameter: &Parameter) -> ParameterBuilder {
    let schema = match parameter.kind {
        Kind::Text | Kind::Texts => text(None),
        Kind::Id => text(Some("uuid")),
        Kind::Moment => text(Some("date-time")),
        Kind::Number => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0_i32))
            .maximum(Some(u32::MAX))
            .build()
            .into(),
        Kind::Flag => ObjectBuilder::new().schema_type(Type::Boolean).build().into(),
    };
    let schema: Schema = match parameter.kind {
        Kind::Texts => ArrayBuilder::new().items(RefOr::T(schema)).build().into(),
        _ => schema,
    };
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(parameter.what))
        .schema(Some(schema))
}

fn text(format: Option<&str>) -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::String);
    object
        .format(format.map(|name| SchemaFormat::Custom(name.to_owned())))
        .build()
        .into()
}

fn reference(body: Body) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name((body.name)()))
}

fn responses(route: &Route) -> ResponsesBuilder {
    let words = || Content::new(Some(text(None)));
    let json = |body| Content::new(Some(reference(body)));
    let good = |what: &str| ResponseBuilder::new().description(what);
    let responses = ResponsesBuilder::new();
    let mut responses = match route.gives {
        Gives::View(body) => {
            let answer = good("the document, or its words with `Accept: text/plain`");
            responses.response("200", answer.content(JSON, json(body)).content(WORDS, words()))
        }
        Gives::Document(body) => responses.response("200", good("the document").content(JSON, json(body))),
        Gives::Any => {
            let any = ObjectBuilder::new().schema_type(Type::Object).build();
            responses.response(
                "200",
                good("the document").content(JSON, Content::new(Some(Schema::from(any)))),
            )
        }
        Gives::Order(body) => responses
            .response("202", good("the order was taken").content(JSON, json(body)))
            .response(
                "200",
                good("the order's events, to its end").content(EVENTS, words()),
            ),
        Gives::Followed(body) => {
            let answer = good("where it stands, or its events");
            responses.response("200", answer.content(JSON, json(body)).content(EVENTS, words()))
        }
        Gives::Events => responses.response("200", good("the events").content(EVENTS, words())),
        Gives::Metrics => {
            let answer = good("the metrics, as Prometheus reads them").content("text/plain", words());
            let refused = good("they have a token, and this is not it");
            responses.response("200", answer).response("401", refused)
        }
        Gives::File(forms) => {
            let form = |answer: ResponseBuilder, form: &&str| {
                let schema = match *form {
                    JSON => ObjectBuilder::new().build().into(),
                    _ => text(None),
                };
                answer.content(*form, Content::new(Some(schema)))
            };
            responses.response("200", forms.iter().fold(good("the file"), form))
        }
    };
    if !matches!(route.least, Least::Role(_)) {
        return responses;
    }
    let refused = |what: &str| good(what).content(PROBLEM, json(Body::of::<ProblemDocument<'static>>()));
    for (status, what) in REFUSALS {
        responses = responses.response(status, refused(what));
    }
    responses
        .response("500", refused("it was begun, and failed"))
        .response("default", refused("it was not answered"))
}

impl Body {
    /// The body that this type is.
    pub(super) const fn of<T: ToSchema>() -> Self {
        Self {
            name: T::name,
            schema: T::schema,
            others: T::schemas,
        }
    }
}
