//! Which keys fields may not have, and which options lead to one key twice.

use super::super::build::FormatBuilder;
use super::super::keys::Reserved;
use super::super::schema::{ORIGINAL_BYTES, Part, TRUNCATED};
use super::super::sequence;
use super::escaped;

/// The keys that are taken in each object of a line.
#[derive(Default)]
struct Taken {
    typed: bool,
    top: Reserved,
    /// In the object for the fields.
    inside: Reserved,
    /// In the object for module, file and line.
    group: Reserved,
    /// Among the attributes of OTLP's resource.
    resource: Reserved,
}

impl Taken {
    /// Where what never changes stands.
    fn constant(&mut self) -> &mut Reserved {
        if self.typed { &mut self.resource } else { &mut self.top }
    }

    /// Where members that come with the fields stand.
    fn beside_fields(&mut self) -> &mut Reserved {
        if self.typed { &mut self.inside } else { &mut self.top }
    }
}

impl FormatBuilder {
    /// The keys that fields may not have: at the top level, and inside the nested object.
    pub(super) fn reserved(
        &self,
        message_nested: bool,
        clash: &mut dyn FnMut(&'static str),
    ) -> (Reserved, Reserved) {
        let table = self.schema.table();
        let mut taken = Taken { typed: table.options.typed, ..Taken::default() };
        // These come after the fields, when it is too late to give way.
        taken.beside_fields().insert(TRUNCATED.as_bytes());
        taken.beside_fields().insert(ORIGINAL_BYTES.as_bytes());
        let alone = self.levels.last().is_some() && !taken.typed || !self.shows(Part::Level);
        if let Some(key) = table.beside_level.filter(|_| !alone) {
            taken.top.insert(key.as_bytes());
        }
        self.reserve_parts(&mut taken, message_nested, clash);
        self.reserve_constants(&mut taken, clash);
        if self.nest().is_some_and(|key| !taken.top.insert(&escaped(key))) {
            clash("nest_fields");
        }
        self.reserve_unseen(&mut taken);
        (taken.top, taken.inside)
    }

    /// Takes the keys of the parts that are shown.
    fn reserve_parts(
        &self,
        taken: &mut Taken,
        message_nested: bool,
        clash: &mut dyn FnMut(&'static str),
    ) {
        let (grouped, typed) = (self.source_group().is_some(), taken.typed);
        for part in Part::ALL.into_iter().filter(|&part| self.shows(part)) {
            let level = match part {
                Part::Message if message_nested => &mut taken.inside,
                Part::Module | Part::File | Part::Line if grouped => &mut taken.group,
                Part::Module | Part::File | Part::Line if typed => &mut taken.inside,
                Part::ThreadName | Part::ThreadId | Part::Span | Part::Spans if typed => {
                    &mut taken.inside
                }
                Part::ProcessId if typed => &mut taken.resource,
                _ => &mut taken.top,
            };
            if !level.insert(&escaped(self.key(part))) {
                clash("rename");
            }
        }
        if self.source_group().is_some_and(|key| !taken.top.insert(&escaped(key))) {
            clash("group_source");
        }
    }

    /// Takes the keys of what is the same in each line, and of the number of the line.
    fn reserve_constants(&self, taken: &mut Taken, clash: &mut dyn FnMut(&'static str)) {
        for (key, _) in self.constants() {
            if !taken.constant().insert(&escaped(key)) {
                clash("rename");
            }
        }
        for (key, _) in &self.fixed.0 {
            if !taken.constant().insert(&escaped(key)) {
                clash("static_field");
            }
        }
        if self.sequence {
            if !taken.beside_fields().insert(sequence::NUMBER.as_bytes()) {
                clash("sequence");
            }
            if !taken.constant().insert(sequence::RUN.as_bytes()) {
                clash("sequence");
            }
        }
    }

    /// Takes keys that no line or not every line has.
    fn reserve_unseen(&self, taken: &mut Taken) {
        let table = self.schema.table();
        for key in table.reserved.iter().chain(&table.beside_level) {
            taken.top.insert(&escaped(key));
        }
        if self.span_lines {
            // A field of a span has the same key in every line.
            for part in [Part::Level, Part::Message] {
                taken.top.insert(&escaped(self.key(part)));
            }
        }
        // Reserved also where they are hidden, so that a field's key does not depend on options.
        for part in [Part::Span, Part::Spans] {
            taken.beside_fields().insert(&escaped(self.key(part)));
        }
    }
}
