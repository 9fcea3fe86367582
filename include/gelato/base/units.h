// Physical quantities as types: a Joules cannot be passed where Watts are wanted, and the products
// that make sense (power x time, bits / rate) have the unit they should. Every quantity is one
// double in the SI unit of its name.
#pragma once

#include <cmath>
#include <compare>

namespace gelato {

// A quantity with unit `Tag`. Zero by default. Arithmetic within one unit, scaling by a number, and
// the ratio of two of a kind (a plain number) are here; products across units are below.
template <class Tag>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(double value) : value_(value) {}
  [[nodiscard]] constexpr double value() const { return value_; }

  constexpr Quantity& operator+=(Quantity o) {
    value_ += o.value_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity o) {
    value_ -= o.value_;
    return *this;
  }
  constexpr Quantity& operator*=(double k) {
    value_ *= k;
    return *this;
  }

  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }
  friend constexpr Quantity operator-(Quantity a) { return Quantity(-a.value_); }
  friend constexpr Quantity operator*(Quantity a, double k) { return a *= k; }
  friend constexpr Quantity operator*(double k, Quantity a) { return a *= k; }
  friend constexpr Quantity operator/(Quantity a, double k) { return Quantity(a.value_ / k); }
  friend constexpr double operator/(Quantity a, Quantity b) { return a.value_ / b.value_; }
  // clang-tidy 14 takes the zero that a defaulted <=> compares with for a null pointer.
  friend constexpr auto operator<=>(Quantity, Quantity) = default;  // NOLINT(modernize-use-nullptr)

 private:
  double value_ = 0.0;
};

using Seconds = Quantity<struct SecondsTag>;
using Joules = Quantity<struct JoulesTag>;
using Watts = Quantity<struct WattsTag>;
using Bits = Quantity<struct BitsTag>;
using BitsPerSecond = Quantity<struct BitsPerSecondTag>;
using Hertz = Quantity<struct HertzTag>;
using Decibels = Quantity<struct DecibelsTag>;  // a ratio of powers, logarithmic

constexpr Joules operator*(Watts p, Seconds t) { return Joules(p.value() * t.value()); }
constexpr Joules operator*(Seconds t, Watts p) { return p * t; }
constexpr Watts operator/(Joules e, Seconds t) { return Watts(e.value() / t.value()); }
constexpr Seconds operator/(Joules e, Watts p) { return Seconds(e.value() / p.value()); }
constexpr Bits operator*(BitsPerSecond r, Seconds t) { return Bits(r.value() * t.value()); }
constexpr Bits operator*(Seconds t, BitsPerSecond r) { return r * t; }
constexpr Seconds operator/(Bits d, BitsPerSecond r) { return Seconds(d.value() / r.value()); }
constexpr BitsPerSecond operator/(Bits d, Seconds t) {
  return BitsPerSecond(d.value() / t.value());
}

constexpr Bits bytes(double n) { return Bits(8.0 * n); }
constexpr Seconds milliseconds(double ms) { return Seconds(ms / 1000.0); }

// dBm is decibels above one milliwatt.
inline Watts watts_from_dbm(Decibels dbm) {
  return Watts(std::pow(10.0, dbm.value() / 10.0) / 1000.0);
}
inline double ratio_from_db(Decibels db) { return std::pow(10.0, db.value() / 10.0); }

}  // namespace gelato
