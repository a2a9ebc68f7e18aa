//! Sample people and groups: the same for the same seed, on every machine, with names as in real directories.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::faults::mix;
use super::tenant::EXTENSIONS;
use super::tenant::Filler;

/// The content of a sample tenant.
#[derive(Clone, Debug)]
pub struct SampleOptions {
    /// How many users.
    pub users: usize,
    /// How many groups.
    pub groups: usize,
    /// The user members of a group; absent: every user is in about one group, and no group has fewer than five.
    pub members_per_group: Option<usize>,
    /// The seed: another one, other people.
    pub seed: u64,
    /// True if groups are nested in each other, some in a circle.
    pub nested: bool,
    /// True if some users and groups are assigned to the enterprise application, some of them with an app role.
    pub assigned: bool,
    /// True if no user is a guest, disabled or without values, and groups hold only users: for counting.
    pub plain: bool,
}

impl Default for SampleOptions {
    fn default() -> Self {
        SampleOptions {
            users: 500,
            groups: 40,
            members_per_group: None,
            seed: 1,
            nested: false,
            assigned: false,
            plain: false,
        }
    }
}

/// Given name, and its form in an address.
const GIVEN: [(&str, &str); 40] = [
    ("Ada", "ada"),
    ("Zoë", "zoe"),
    ("Łukasz", "lukasz"),
    ("Jürgen", "juergen"),
    ("Søren", "soren"),
    ("Nguyễn", "nguyen"),
    ("María", "maria"),
    ("François", "francois"),
    ("Aoife", "aoife"),
    ("Björk", "bjork"),
    ("Chloé", "chloe"),
    ("Dmitri", "dmitri"),
    ("Elif", "elif"),
    ("Fatima", "fatima"),
    ("Grace", "grace"),
    ("Hiroshi", "hiroshi"),
    ("Ingrid", "ingrid"),
    ("João", "joao"),
    ("Katarína", "katarina"),
    ("Liam", "liam"),
    ("Mei", "mei"),
    ("Noor", "noor"),
    ("Oğuz", "oguz"),
    ("Priya", "priya"),
    ("Quentin", "quentin"),
    ("Renée", "renee"),
    ("Siobhán", "siobhan"),
    ("Tomáš", "tomas"),
    ("Umberto", "umberto"),
    ("Věra", "vera"),
    ("Wanjiru", "wanjiru"),
    ("Ximena", "ximena"),
    ("Yusuf", "yusuf"),
    ("Željko", "zeljko"),
    ("美咲", "misaki"),
    ("Андрей", "andrei"),
    ("Νίκος", "nikos"),
    ("Anne-Marie", "anne-marie"),
    ("Þóra", "thora"),
    ("Bob", "bob"),
];

/// Surname, and its form in an address.
const SURNAME: [(&str, &str); 36] = [
    ("Lovelace", "lovelace"),
    ("Müller", "mueller"),
    ("O'Brien", "obrien"),
    ("García Márquez", "garcia"),
    ("Kowalczyk", "kowalczyk"),
    ("Nakamura", "nakamura"),
    ("Østergård", "ostergard"),
    ("van der Berg", "vanderberg"),
    ("Şahin", "sahin"),
    ("Dvořák", "dvorak"),
    ("Nuñez", "nunez"),
    ("Lefèvre", "lefevre"),
    ("Smith", "smith"),
    ("Johansson", "johansson"),
    ("Okafor", "okafor"),
    ("Patel", "patel"),
    ("Kim", "kim"),
    ("Ivanović", "ivanovic"),
    ("Papadopoulou", "papadopoulou"),
    ("Silva", "silva"),
    ("Weiß", "weiss"),
    ("Hernández", "hernandez"),
    ("Chen", "chen"),
    ("Nowak", "nowak"),
    ("Rossi", "rossi"),
    ("Andersen", "andersen"),
    ("Kaur", "kaur"),
    ("Mbeki", "mbeki"),
    ("Yılmaz", "yilmaz"),
    ("佐藤", "sato"),
    ("Соколов", "sokolov"),
    ("Hopper", "hopper"),
    ("Turing", "turing"),
    ("Ångström", "angstrom"),
    ("Çelik", "celik"),
    ("D'Angelo", "dangelo"),
];

const TITLE: [&str; 8] = [
    "Engineer",
    "Senior Engineer",
    "Nurse",
    "Accountant",
    "Sales Manager",
    "Support \"Tier 2\"",
    "Head of R&D",
    "Sachbearbeiterin für Löhne",
];

const DEPARTMENT: [&str; 9] = [
    "IT",
    "HR",
    "Finance",
    "R&D",
    "Sales",
    "Operations",
    "Legal",
    "Forschung & Entwicklung",
    "Santé",
];

/// City, region, postal code, country, language.
const PLACE: [(&str, &str, &str, &str, &str); 7] = [
    ("Vancouver", "BC", "V6B 1A1", "Canada", "en-CA"),
    ("Zürich", "ZH", "8001", "Switzerland", "de-CH"),
    ("Łódź", "Łódzkie", "90-001", "Poland", "pl-PL"),
    ("São Paulo", "SP", "01000-000", "Brazil", "pt-BR"),
    ("Kraków", "Małopolskie", "30-001", "Poland", "pl-PL"),
    ("東京", "東京都", "100-0001", "Japan", "ja-JP"),
    ("Paris", "Île-de-France", "75001", "France", "fr-FR"),
];

const TEAM: [&str; 12] = [
    "Badge users",
    "Finance",
    "Nurses of ward",
    "Forschung & Entwicklung",
    "Vertrieb Süd",
    "Équipe santé",
    "IT administrators",
    "Passkey pilot",
    "Contractors",
    "Night shift",
    "Board",
    "\"Quoted\" team",
];

/// Returns a GUID that is the same for the same seed and index.
pub(super) fn object_id(seed: u64, index: u64) -> String {
    let (high, low) = (mix(seed ^ mix(index)), mix(mix(seed).wrapping_add(index)));
    let random = (u128::from(high) << 64) | u128::from(low);
    uuid::Builder::from_random_bytes(random.to_be_bytes())
        .into_uuid()
        .to_string()
}

/// Fills an empty tenant.
pub(super) fn fill(tenant: &mut Filler<'_>, options: &SampleOptions) {
    let mut users = Vec::with_capacity(options.users);
    for index in 0..options.users {
        let (id, props) = person(options.seed, index as u64, options.plain);
        let at = tenant.user(id, props);
        if !index.is_multiple_of(10) {
            tenant.manager(at, users[index / 10 * 10]);
        } else if !options.plain && index > 0 {
            tenant.manager(at, users[0]);
        }
        users.push(at);
    }
    let groups = fill_groups(tenant, options, &users);
    if options.nested {
        nest(tenant, &groups);
    }
    if options.assigned {
        assign(tenant, &users, &groups);
    }
}

/// Nests groups in fives: each group in the one before it, and the first in the last, which closes a circle in every
/// second five.
fn nest(tenant: &mut Filler<'_>, groups: &[usize]) {
    for (number, five) in groups.chunks(5).enumerate() {
        for pair in five.windows(2) {
            tenant.member(pair[0], pair[1]);
        }
        if let (true, Some(last), true) = (number.is_multiple_of(2), five.last(), five.len() > 1) {
            tenant.member(*last, five[0]);
        }
    }
}

/// Assigns every fourth group and every tenth user; some groups and users with a role, one user with two.
fn assign(tenant: &mut Filler<'_>, users: &[usize], groups: &[usize]) {
    for (number, group) in groups.iter().step_by(4).enumerate() {
        let role = if number % 3 == 1 {
            "AuthenticationAdministrator"
        } else {
            ""
        };
        tenant.assign(*group, role);
    }
    for (number, user) in users.iter().step_by(10).enumerate() {
        let role = match number % 5 {
            1 => "BillingAdministrator",
            3 => "ConditionalAccessAdministrator",
            _ => "",
        };
        tenant.assign(*user, role);
    }
    if let Some(first) = users.first() {
        tenant.assign(*first, "GlobalAdministrator");
        tenant.assign(*first, "BillingAdministrator");
    }
}

fn fill_groups(tenant: &mut Filler<'_>, options: &SampleOptions, users: &[usize]) -> Vec<usize> {
    let size = options
        .members_per_group
        .unwrap_or_else(|| (users.len() / options.groups.max(1)).max(5))
        .min(users.len());
    let (mut before, mut groups) = (None, Vec::with_capacity(options.groups));
    for index in 0..options.groups {
        let id = object_id(options.seed ^ 0x6772_6f75_7073, index as u64);
        let group = tenant.group(id, team(index, options.plain));
        for turn in 0..size {
            tenant.member(group, users[(index * size + turn) % users.len()]);
        }
        if !options.plain {
            if let Some(nested) = before.filter(|_| index % 8 == 3) {
                tenant.member(group, nested);
            }
            if index % 8 == 5 {
                let device = tenant.device(object_id(options.seed ^ 0x6465_7669_6365, index as u64));
                tenant.member(group, device);
            }
        }
        before = Some(group);
        groups.push(group);
    }
    groups
}

fn team(index: usize, plain: bool) -> Map<String, Value> {
    let name = format!("{} {}", TEAM[index % TEAM.len()], index + 1);
    let mut props = json!({
        "displayName": name, "mailNickname": format!("group{}", index + 1), "mailEnabled": false, "securityEnabled": true,
        "groupTypes": [], "description": format!("{name}: kept by the sample tenant"),
    });
    if !plain && index % 9 == 4 {
        props["description"] = Value::Null;
    }
    into_map(props)
}

/// Returns the id and Graph properties of one sample person; `plain` leaves oddities out.
pub(super) fn person(seed: u64, index: u64, plain: bool) -> (String, Map<String, Value>) {
    let dice = mix(seed.wrapping_mul(7919).wrapping_add(index));
    let (given, given_ascii) = GIVEN[dice as usize % GIVEN.len()];
    let (surname, surname_ascii) = SURNAME[(dice >> 8) as usize % SURNAME.len()];
    let (city, region, postal, country, language) = PLACE[(dice >> 16) as usize % PLACE.len()];
    let alias = format!("{given_ascii}.{surname_ascii}.{index}");
    let upn = format!("{alias}@corp.example");
    let number = dice % 10_000;
    let immutable = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        [mix(dice).to_be_bytes(), mix(dice ^ 1).to_be_bytes()].concat(),
    );
    let mut props = json!({
        "accountEnabled": true, "userType": "Member", "userPrincipalName": upn, "mail": upn, "mailNickname": alias,
        "displayName": format!("{given} {surname}"), "givenName": given, "surname": surname,
        "jobTitle": TITLE[(dice >> 24) as usize % TITLE.len()], "department": DEPARTMENT[(dice >> 32) as usize % DEPARTMENT.len()],
        "officeLocation": format!("Building {}, room {}", dice % 9, number), "streetAddress": format!("{} Main Street", number),
        "city": city, "state": region, "postalCode": postal, "country": country, "preferredLanguage": language,
        "businessPhones": [format!("+1 604 555 {number:04}")], "mobilePhone": format!("+1 778 555 {number:04}"),
        "faxNumber": format!("+1 604 556 {number:04}"), "employeeId": format!("E{index:06}"),
        "onPremisesImmutableId": immutable, "companyName": "Corp Example",
    });
    if !plain {
        make_odd(&mut props, index, &alias);
    }
    (object_id(seed, index), into_map(props))
}

fn make_odd(props: &mut Value, index: u64, alias: &str) {
    extend(props, index);
    if index % 29 == 7 {
        props["accountEnabled"] = false.into();
    }
    if index % 31 == 11 {
        props["userType"] = "Guest".into();
        let accepted = index % 2 == 1;
        props["externalUserState"] = if accepted { "Accepted" } else { "PendingAcceptance" }.into();
        props["userPrincipalName"] = format!("{alias}_partner.example#EXT#@corp.example").into();
        props["mail"] = format!("{alias}@partner.example").into();
        props["onPremisesImmutableId"] = Value::Null;
    }
    if index % 11 == 3 {
        for cleared in ["mobilePhone", "faxNumber", "officeLocation", "preferredLanguage"] {
            props[cleared] = Value::Null;
        }
        props["businessPhones"] = json!([]);
    }
    if index % 37 == 5 {
        for absent in [
            "jobTitle",
            "department",
            "streetAddress",
            "city",
            "state",
            "postalCode",
            "country",
        ] {
            props
                .as_object_mut()
                .into_iter()
                .for_each(|map| drop(map.remove(absent)));
        }
    }
    if index % 41 == 17 {
        props["mail"] = Value::Null;
    }
}

/// Adds the attributes of on-premises Exchange, in one object, and those that an application registered.
fn extend(props: &mut Value, index: u64) {
    let mut exchange: Map<String, Value> = (1..=15)
        .map(|number| (format!("extensionAttribute{number}"), Value::Null))
        .collect();
    exchange["extensionAttribute1"] = format!("CC-{:03}", index % 40).into();
    exchange["extensionAttribute15"] = ["North", "South"][index as usize % 2].into();
    props["onPremisesExtensionAttributes"] = exchange.into();
    if index % 3 != 2 {
        props[EXTENSIONS[0]] = format!("B{index:05}").into();
    }
    props[EXTENSIONS[1]] = ["HQ", "Plant 1", "Plant 2"][index as usize % 3].into();
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
