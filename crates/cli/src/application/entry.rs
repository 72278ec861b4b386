//! `[[service]]`: a subcommand, as it would be called with these arguments.
//!
//! So every subcommand that serves is a type of service, those of a program's own too, with the same options and checks.

use std::ffi::OsString;
use std::ops::Range;

use clap::Arg;
use clap::error::{ContextKind, ContextValue};
use ropewalk::endpoint::ServerEndpoint;
use ropewalk::{Failure, Handle, program};

use super::document::Document;
use super::keys::{At, Keys, Setting, suggestion};
use crate::life::Plan;
use crate::plugin::Plugin;
use crate::setup::Manner;

/// The name of the argument that takes endpoints in every subcommand.
const ENDPOINTS: &str = "endpoints";

pub(super) struct ServiceEntry {
    kind: At<String>,
    name: At<String>,
    endpoints: Vec<At<String>>,
    manner: Manner,
    /// What is said beyond that, by key: it depends on the type.
    options: Vec<Setting>,
}

impl ServiceEntry {
    pub(super) fn take_all(keys: &mut Keys<'_>) -> Vec<Self> {
        let tables = keys.tables("service");
        tables.into_iter().filter_map(Self::take).collect()
    }

    fn take(mut keys: Keys<'_>) -> Option<Self> {
        let kind = keys.string("type");
        let name = keys.string("name");
        let mut endpoints = keys.strings("endpoint").unwrap_or_default();
        endpoints.extend(keys.strings(ENDPOINTS).unwrap_or_default());
        let manner = keys.table("limits").map(manner).unwrap_or_default();
        let options = keys.rest();
        let Some(kind) = kind else {
            keys.complain(keys.place(), "a service needs a \"type\", such as \"echo\"");
            return None;
        };
        Some(Self {
            name: name.unwrap_or_else(|| kind.clone()),
            kind,
            endpoints,
            manner,
            options,
        })
    }

    /// Adds the service to the plan, or says what is wrong with it.
    pub(super) fn add_to(
        &self,
        plan: &mut Plan,
        plugins: &[Box<dyn Plugin>],
        reactor: &Handle,
        document: &Document,
    ) {
        let name = self.kind.value.split(' ').next();
        let mut all = plugins.iter();
        let plugin = all.find(|plugin| Some(plugin.command().get_name()) == name);
        let Some((plugin, mut root)) = plugin.map(|plugin| (plugin, plugin.command())) else {
            return self.complain_of_kind(plugins, document);
        };
        root = root.no_binary_name(true);
        root.build();
        let Some(command) = self.serving(&root) else {
            return self.complain_of_kind(plugins, document);
        };
        let is_right = self.check_name(plan, document)
            & self.check_endpoints(document)
            & self.check_keys(command, document);
        if !is_right {
            return;
        }
        let words = self.kind.value.split(' ').skip(1).map(OsString::from);
        let arguments = words.chain(self.arguments(command));
        let added = match root.clone().try_get_matches_from(arguments) {
            Err(error) => Err((
                self.place_of(&error),
                Failure::message(program::one_line(&error)),
            )),
            Ok(matches) => plan
                .add(reactor, &self.name.value, self.manner.clone(), |setup| {
                    plugin.start(&matches, setup)
                })
                .map_err(|failure| (self.kind.place.clone(), failure)),
        };
        if let Err((place, failure)) = added {
            document.complain(
                place,
                format_args!("service {:?}: {failure}", self.name.value),
            );
        }
    }

    /// What the words of the type name: a subcommand, or one of its own that serves, such as `websocket echo`.
    fn serving<'a>(&self, root: &'a clap::Command) -> Option<&'a clap::Command> {
        let mut words = self.kind.value.split(' ').skip(1);
        let found = words.try_fold(root, |command, word| command.find_subcommand(word))?;
        let is_root = std::ptr::eq(found, root);
        let serves = (is_root || takes_endpoints(found)) && !found.has_subcommands();
        serves.then_some(found)
    }

    fn complain_of_kind(&self, plugins: &[Box<dyn Plugin>], document: &Document) {
        let kind = &self.kind.value;
        let commands = plugins.iter().map(|plugin| plugin.command());
        let known: Vec<String> = commands.flat_map(|command| kinds(&command)).collect();
        let meant = suggestion(kind, &known);
        let known = known.join(", ");
        let message = format!("there is no type {kind:?} of services{meant}; known: {known}");
        document.complain(self.kind.place.clone(), message);
    }

    fn check_name(&self, plan: &Plan, document: &Document) -> bool {
        let name = &self.name.value;
        let is_taken = plan.has(name);
        if is_taken {
            let message =
                format!("the name {name:?} is taken; give each service a \"name\" of its own");
            document.complain(self.name.place.clone(), message);
        }
        !is_taken
    }

    fn check_endpoints(&self, document: &Document) -> bool {
        let mut is_right = true;
        for endpoint in &self.endpoints {
            if let Err(error) = endpoint.value.listening() {
                document.complain(endpoint.place.clone(), error);
                is_right = false;
            }
        }
        is_right
    }

    fn check_keys(&self, command: &clap::Command, document: &Document) -> bool {
        let mut is_right = true;
        for Setting { key, .. } in &self.options {
            if argument(command, &key.value).is_none() {
                let own = command
                    .get_arguments()
                    .filter(|arg| is_own(arg))
                    .map(key_of);
                let known: Vec<String> = COMMON.map(str::to_owned).into_iter().chain(own).collect();
                let (word, meant) = (&key.value, suggestion(&key.value, &known));
                let (kind, known) = (&self.kind.value, known.join(", "));
                let message = format!(
                    "unknown key {word:?} in a service of type {kind:?}{meant}; known: {known}"
                );
                document.complain(key.place.clone(), message);
                is_right = false;
            }
        }
        is_right
    }

    /// The options, and behind them what has no name, in the order of the subcommand.
    fn arguments(&self, command: &clap::Command) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for Setting { key, values, .. } in &self.options {
            let texts = values.iter().map(|text| text.value.as_str());
            match argument(command, &key.value).and_then(Arg::get_long) {
                None => {}
                Some(long) if values.is_empty() => arguments.push(format!("--{long}").into()),
                Some(long) => arguments.extend(texts.map(|text| format!("--{long}={text}").into())),
            }
        }
        arguments.push("--".into());
        for positional in command.get_positionals() {
            let values = self.values_of(positional);
            arguments.extend(values.iter().map(|text| OsString::from(&text.value)));
        }
        // Where a subcommand takes none, this is how it says so.
        if !takes_endpoints(command) {
            arguments.extend(
                self.endpoints
                    .iter()
                    .map(|text| OsString::from(&text.value)),
            );
        }
        arguments
    }

    fn values_of(&self, positional: &Arg) -> &[At<String>] {
        if positional.get_id() == ENDPOINTS {
            return &self.endpoints;
        }
        let key = key_of(positional);
        let mut options = self.options.iter();
        let option = options.find(|option| option.key.value.replace('-', "_") == key);
        option.map_or(&[], |option| &option.values)
    }

    /// Where the argument stands that is wrong.
    fn place_of(&self, error: &clap::Error) -> Range<usize> {
        let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
            return self.kind.place.clone();
        };
        let mut options = self.options.iter();
        let wrong = options.find(|option| {
            let long = option.key.value.replace('_', "-");
            argument.starts_with(&format!("--{long} ")) || *argument == format!("--{long}")
        });
        wrong.map_or(self.kind.place.clone(), |option| option.place.clone())
    }
}

/// The types that a subcommand stands for: itself, or those of its own that serve.
fn kinds(command: &clap::Command) -> Vec<String> {
    let name = command.get_name();
    if !command.has_subcommands() {
        return vec![name.to_owned()];
    }
    let serving = command.get_subcommands().filter(|own| takes_endpoints(own));
    let kinds = serving.map(|own| format!("{name} {}", own.get_name()));
    kinds.collect()
}

fn takes_endpoints(command: &clap::Command) -> bool {
    let mut positionals = command.get_positionals();
    positionals.any(|argument| argument.get_id() == ENDPOINTS)
}

const COMMON: [&str; 5] = ["type", "name", "endpoint", "endpoints", "limits"];

fn manner(mut keys: Keys<'_>) -> Manner {
    Manner {
        connections: keys.number("connections"),
        connections_by_peer: keys.number("connections_per_peer"),
        high_water_bytes: keys.number("high_water_bytes"),
        outgoing_bytes: keys.number("outgoing_bytes"),
        write_stall: keys.seconds_or_false("write_stall"),
        handshake: keys.seconds_or_false("handshake"),
        idle: keys.seconds("idle").map(|idle| idle.value),
    }
}

/// The argument that a key of the file means; its name may be written with `-` or `_`.
fn argument<'a>(command: &'a clap::Command, key: &str) -> Option<&'a Arg> {
    let mut arguments = command.get_arguments().filter(|arg| is_own(arg));
    arguments.find(|arg| key_of(arg) == key.replace('-', "_"))
}

fn is_own(argument: &Arg) -> bool {
    !["help", "version", ENDPOINTS].contains(&argument.get_id().as_str())
}

fn key_of(argument: &Arg) -> String {
    let id = argument.get_id().as_str();
    argument.get_long().unwrap_or(id).replace('-', "_")
}
