//! Objects with how they stand, as people read them.

use super::Words;
use crate::app::views::objects::ObjectView;
use crate::app::views::objects::Objects;
use crate::model::shown::shown;

/// An object in one line.
#[must_use]
pub fn line(object: &ObjectView) -> String {
    let states: Vec<&str> = object.states.iter().map(|state| state.word()).collect();
    let target = object.target.as_ref();
    let target = target.map_or_else(String::new, |target| format!("  → {}", shown(target.as_str())));
    let id = object.object.map_or_else(String::new, |id| format!("  ({id})"));
    format!("{}{id}{target}  {}", shown(&object.name), states.join(", "))
}

impl Words for Objects {
    fn words(&self) -> String {
        self.objects.iter().map(|object| line(object) + "\n").collect()
    }
}
