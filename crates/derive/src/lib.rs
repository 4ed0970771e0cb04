//! The derives of the facade: how a type is written in Kafka, in the line above it.
//!
//! What they write names the crate `headwater`, which re-exports them; their examples are there.
//!
//! **Architecture Invariant:** a derive picks a serde that `record` has, and has no format of its own.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input, parse_quote};

/// Writes the type as JSON wherever no other serde is given, by its `serde::Serialize` and `serde::Deserialize`. A `Vec` of it is a
/// JSON array, and `None` of an `Option` of it is Kafka's null.
#[proc_macro_derive(Json)]
pub fn json(input: TokenStream) -> TokenStream {
    let mut input = parse_macro_input!(input as DeriveInput);
    let bound = parse_quote! { Self: ::headwater::record::serde::AsJson };
    input.generics.make_where_clause().predicates.push(bound);
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    quote! {
        impl #generics ::headwater::record::DefaultSerde for #name #arguments #bounds {
            fn default_serde() -> ::headwater::record::SharedSerde<Self> {
                ::headwater::record::serde::json::<Self>()
            }
            fn list_serde() -> ::headwater::record::SharedSerde<::std::vec::Vec<Self>> {
                ::headwater::record::serde::json::<::std::vec::Vec<Self>>()
            }
        }
    }
    .into()
}

/// Writes the type, a message of `prost`, as Protocol Buffers wherever no other serde is given.
#[proc_macro_derive(Protobuf)]
pub fn protobuf(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    quote! {
        impl #generics ::headwater::record::DefaultSerde for #name #arguments #bounds {
            fn default_serde() -> ::headwater::record::SharedSerde<Self> {
                ::headwater::record::serde::protobuf::<Self>()
            }
        }
    }
    .into()
}
