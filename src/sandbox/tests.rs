//! Both servers over real HTTP.
