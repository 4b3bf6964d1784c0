// A device for tests of what must hold on any accelerator, on a machine without one.
//
// Its memory is the host's, and the host computes for it; but tensors are on the device, as torch
// sees it: mixing them with the host's is an error, the backward pass runs on another thread, and
// what makes a host wait for a GPU tells a listener. A copy to pinned memory without waiting leaves
// garbage there until the device is waited for, or an event after it has been queried twice.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_as_complex_native.h>
#include <ATen/ops/view_as_real_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/extension.h>

#include <mutex>
#include <set>

namespace {

using at::Tensor;
using std::optional;

constexpr auto kType = c10::DeviceType::PrivateUse1;
const c10::Device kDevice(kType, 0);

// Telling the listener

py::object* listener = nullptr;
thread_local int depth_on_host = 0;

struct OnHost {  // While the host computes for the device, nothing counts.
  OnHost() { ++depth_on_host; }
  ~OnHost() { --depth_on_host; }
};

void tell(const char* kind, const std::string& operation) {
  if (depth_on_host > 0) return;
  py::gil_scoped_acquire gil;
  if (listener != nullptr) (*listener)(kind, operation);
}

// Copies under way

std::mutex lock;
std::vector<std::function<void()>> under_way;
std::set<const void*> pinned;

void arrive() {
  std::vector<std::function<void()>> due;
  {
    std::lock_guard<std::mutex> guard(lock);
    due.swap(under_way);
  }
  for (auto& copy : due) copy();
}

void wait_in(const std::string& operation) {
  tell("wait", operation);
  arrive();
}

// Memory

struct DeviceMemory final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* data = c10::alloc_cpu(bytes);
    return {data, data, &c10::free_cpu, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
  void copy_data(void* target, const void* source, size_t bytes) const override {
    default_copy_data(target, source, bytes);
  }
};

struct PinnedMemory final : c10::Allocator {
  static void release(void* data) {
    std::lock_guard<std::mutex> guard(lock);
    pinned.erase(data);
    c10::free_cpu(data);
  }
  c10::DataPtr allocate(size_t bytes) override {
    void* data = c10::alloc_cpu(bytes);
    std::lock_guard<std::mutex> guard(lock);
    pinned.insert(data);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* target, const void* source, size_t bytes) const override {
    default_copy_data(target, source, bytes);
  }
};

DeviceMemory device_memory;
PinnedMemory pinned_memory;
REGISTER_ALLOCATOR(kType, &device_memory);

// Streams, events and generators

struct Guard final : c10::impl::DeviceGuardImplInterface {
  using Stream = c10::Stream;
  using Index = c10::DeviceIndex;

  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  Index deviceCount() const noexcept override { return 1; }
  Stream getStream(c10::Device) const override { return Stream(Stream::DEFAULT, kDevice); }
  Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  Stream exchangeStream(Stream stream) const override { return stream; }
  bool queryStream(const Stream&) const override { return false; }
  void synchronizeStream(const Stream&) const override { wait_in("synchronizeStream"); }
  void synchronizeDevice(Index) const override { wait_in("synchronizeDevice"); }
  void recordDataPtrOnStream(const c10::DataPtr&, const Stream&) const override {}

  void record(void** event, const Stream&, Index, c10::EventFlag) const override {
    if (*event == nullptr) *event = new int;
    *static_cast<int*>(*event) = 0;
  }
  bool queryEvent(void* event) const override {
    if ((*static_cast<int*>(event))++ < 2) return false;
    arrive();
    return true;
  }
  void block(void*, const Stream&) const override {}
  void synchronizeEvent(void*) const override { wait_in("synchronizeEvent"); }
  void destroyEvent(void* event, Index) const noexcept override { delete static_cast<int*>(event); }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Generator final : at::CPUGeneratorImpl {
  Generator() : at::CPUGeneratorImpl(0) {
    device_ = kDevice;
    key_set_ = c10::DispatchKeySet(c10::DispatchKey::PrivateUse1);
  }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  at::Device getDeviceFromPtr(void*) const override { return kDevice; }
  at::Allocator* getPinnedMemoryAllocator() const override { return &pinned_memory; }
  bool isPinnedPtr(const void* data) const override {
    std::lock_guard<std::mutex> guard(lock);
    return pinned.count(data) > 0;
  }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const auto generator = at::make_generator<Generator>();
    return generator;
  }
  at::Generator getNewGenerator(c10::DeviceIndex) const override {
    return at::make_generator<Generator>();
  }
  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    auto data = device_memory.allocate(bytes);
    device_memory.copy_data(data.get(), storage.data(), std::min(bytes, storage.nbytes()));
    storage.unsafeGetStorageImpl()->set_data_ptr(std::move(data));
    storage.unsafeGetStorageImpl()->set_nbytes(bytes);
  }
};
Hooks hooks;

// Creating and copying tensors

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

c10::ScalarType told_of(optional<c10::ScalarType> dtype) {
  const auto known = c10::dtype_or_default(dtype);
  if (known == at::kDouble) tell("float64", "empty");
  return known;
}

Tensor empty(c10::SymIntArrayRef sizes, optional<c10::ScalarType> dtype, optional<c10::Layout>,
             optional<c10::Device>, optional<bool>, optional<c10::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(sizes), &device_memory, kKeys,
                                   told_of(dtype), format);
}

Tensor empty_strided(c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides,
                     optional<c10::ScalarType> dtype, optional<c10::Layout>, optional<c10::Device>,
                     optional<bool>) {
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(sizes),
                                           C10_AS_INTARRAYREF_SLOW(strides), &device_memory, kKeys,
                                           told_of(dtype));
}

Tensor host_view(const Tensor& x) {
  if (x.is_cpu()) return x.detach();
  const auto keep = [storage = x.storage()](void*) {};
  auto view = at::from_blob(x.data_ptr(), x.sizes(), x.strides(), keep,
                            at::TensorOptions().dtype(x.dtype()), at::kCPU);
  if (x.is_conj()) view = view.conj();
  return x.is_neg() ? at::_neg_view(view) : view;
}

optional<Tensor> optional_view(const optional<Tensor>& x) {
  return x.has_value() && x->defined() ? optional(host_view(*x)) : std::nullopt;
}

Tensor device_copy(const Tensor& x) {
  if (!x.defined()) return x;
  auto copy = at::empty_strided(x.sizes(), x.strides(), x.options().device(kDevice));
  host_view(copy).copy_(x);
  return copy;
}

void copy_on_host(const Tensor& source, const Tensor& target) {
  at::NoGradGuard no_grad;
  OnHost on_host;
  target.copy_(source);
}

Tensor copy_from(const Tensor& source, const Tensor& target, bool non_blocking) {
  if (!non_blocking && target.is_cpu()) wait_in("copy to the host");
  if (!non_blocking && source.is_cpu()) wait_in("copy from the host");
  const auto from = host_view(source), to = host_view(target);
  if (!non_blocking || depth_on_host > 0 || !target.is_cpu() || !target.is_pinned()) {
    copy_on_host(from, to);
    return target;
  }
  TORCH_CHECK(to.is_non_overlapping_and_dense(), "Expected a dense target in pinned memory.");
  const auto snapshot = from.clone();
  std::memset(to.data_ptr(), 0xff, to.nbytes());
  std::lock_guard<std::mutex> guard(lock);
  under_way.push_back([snapshot, to] { copy_on_host(snapshot, to); });
  return target;
}

Tensor copy_from_and_resize(const Tensor& source, const Tensor& target) {
  if (target.sizes() != source.sizes()) target.resize_(source.sizes());
  return copy_from(source, target, false);
}

at::Scalar local_scalar_dense(const Tensor& x) {
  wait_in("item");
  OnHost on_host;
  return at::_local_scalar_dense(host_view(x));
}

Tensor& set_storage(Tensor& x, at::Storage source, c10::SymInt offset, c10::SymIntArrayRef sizes,
                    c10::SymIntArrayRef strides) {
  x.unsafeGetTensorImpl()->set_storage_keep_dtype(source);
  x.unsafeGetTensorImpl()->set_sizes_and_strides(C10_AS_INTARRAYREF_SLOW(sizes),
                                                 C10_AS_INTARRAYREF_SLOW(strides),
                                                 offset.guard_int(__FILE__, __LINE__));
  return x;
}

Tensor& set_tensor(Tensor& x, const Tensor& source) {
  x.unsafeGetTensorImpl()->set_storage_keep_dtype(source.storage());
  x.unsafeGetTensorImpl()->set_sizes_and_strides(source.sizes(), source.strides(),
                                                 source.storage_offset());
  return x;
}

Tensor& set_whole_storage(Tensor& x, at::Storage source) {
  const auto entries = static_cast<int64_t>(source.nbytes() / x.dtype().itemsize());
  return set_storage(x, source, 0, c10::SymIntArrayRef({entries}), c10::SymIntArrayRef({1}));
}

const Tensor& resize(const Tensor& x, c10::SymIntArrayRef sizes, optional<c10::MemoryFormat>) {
  const auto whole = C10_AS_INTARRAYREF_SLOW(sizes);
  const auto strides = c10::contiguous_strides(whole);
  const auto bytes = at::detail::computeStorageNbytes(whole, strides, x.dtype().itemsize(),
                                                      x.storage_offset());
  if (bytes > x.storage().nbytes()) hooks.resizePrivateUse1Bytes(x.storage(), bytes);
  x.unsafeGetTensorImpl()->set_sizes_and_strides(whole, strides);
  return x;
}

// Operations for which torch has no fallback

Tensor convolution(const Tensor& x, const Tensor& weight, const optional<Tensor>& bias,
                   at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                   bool transposed, at::IntArrayRef output_padding, int64_t groups) {
  at::NoGradGuard no_grad;
  OnHost on_host;
  return device_copy(at::convolution(host_view(x), host_view(weight), optional_view(bias), stride,
                                     padding, dilation, transposed, output_padding, groups));
}

std::tuple<Tensor, Tensor, Tensor> convolution_backward(
    const Tensor& gradient, const Tensor& x, const Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
    at::IntArrayRef output_padding, int64_t groups, std::array<bool, 3> mask) {
  at::NoGradGuard no_grad;
  OnHost on_host;
  const std::vector<int64_t> bias{transposed ? weight.size(1) * groups : weight.size(0)};
  const auto [of_x, of_weight, of_bias] = at::convolution_backward(
      host_view(gradient), host_view(x), host_view(weight), bias, stride, padding, dilation,
      transposed, output_padding, groups, mask);
  return {device_copy(of_x), device_copy(of_weight), device_copy(of_bias)};
}

// Its schema does not tell that it changes the running statistics.
std::tuple<Tensor, Tensor, Tensor> batch_norm(const Tensor& x, const optional<Tensor>& weight,
                                              const optional<Tensor>& bias,
                                              const optional<Tensor>& running_mean,
                                              const optional<Tensor>& running_variance,
                                              bool training, double momentum, double eps) {
  at::NoGradGuard no_grad;
  OnHost on_host;
  const auto [y, mean, scale] = at::native_batch_norm(
      host_view(x), optional_view(weight), optional_view(bias), optional_view(running_mean),
      optional_view(running_variance), training, momentum, eps);
  return {device_copy(y), device_copy(mean), device_copy(scale)};
}

std::tuple<Tensor, Tensor, Tensor> lstm_cell(const Tensor& from_x, const Tensor& from_h,
                                             const Tensor& c, const optional<Tensor>& x_bias,
                                             const optional<Tensor>& h_bias) {
  auto gates = from_x + from_h;
  if (x_bias.has_value() && x_bias->defined()) gates = gates + *x_bias + *h_bias;
  const auto gate = gates.chunk(4, 1);
  const auto next = gate[1].sigmoid() * c + gate[0].sigmoid() * gate[2].tanh();
  return {gate[3].sigmoid() * next.tanh(), next, gates};
}

std::tuple<Tensor, Tensor> gru_cell(const Tensor& from_x, const Tensor& from_h, const Tensor& h,
                                    const optional<Tensor>& x_bias,
                                    const optional<Tensor>& h_bias) {
  const auto biased = x_bias.has_value() && x_bias->defined();
  const auto left = biased ? from_x + *x_bias : from_x;
  const auto right = biased ? from_h + *h_bias : from_h;
  const auto x = left.chunk(3, 1), y = right.chunk(3, 1);
  const auto next = (x[2] + (x[0] + y[0]).sigmoid() * y[2]).tanh();
  return {next + (x[1] + y[1]).sigmoid() * (h - next), left};
}

// All other operations

const std::set<std::string> kWaiting = {  // Their outputs' sizes, or results, are read by the host.
    "aten::_unique2",     "aten::bincount",      "aten::equal",      "aten::histc",
    "aten::is_nonzero",   "aten::masked_select", "aten::nonzero",    "aten::repeat_interleave",
    "aten::unique_dim",   "aten::unique_consecutive"};
const std::set<std::string> kIndexing = {"aten::index", "aten::_index_put_impl_"};

bool selects(const c10::IValue& indices) {
  for (const optional<Tensor> index : indices.toOptionalTensorList()) {
    if (index.has_value() && index->defined() && index->scalar_type() == at::kBool) return true;
  }
  return false;
}

void refuse_strangers(const Tensor& x, const std::string& operation) {
  TORCH_CHECK(!x.defined() || !x.is_cpu() || x.dim() == 0,
              "Expected all tensors to be on the same device, but found some on ", kDevice,
              " and some on the host, in ", operation, ".");
}

void compute(const c10::OperatorHandle& operation, torch::jit::Stack* stack) {
  const auto& schema = operation.schema();
  const auto& name = schema.name();
  bool waits = kWaiting.count(name) > 0;
  for (const auto& argument : torch::jit::last(stack, schema.arguments().size())) {
    if (argument.isTensor() && kIndexing.count(name) == 0) {
      refuse_strangers(argument.toTensor(), name);
    } else if (argument.isTensorList()) {
      for (const Tensor x : argument.toTensorList()) refuse_strangers(x, name);
    } else if (argument.isOptionalTensorList()) {
      waits = waits || selects(argument);
    }
  }
  if (waits) wait_in(name);
  const auto& overload = schema.overload_name();
  tell("operation", overload.empty() ? name : name + "." + overload);
  OnHost on_host;
  at::native::cpu_fallback(operation, stack);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("_local_scalar_dense", local_scalar_dense);
  m.impl("set_.source_Storage", set_whole_storage);
  m.impl("set_.source_Storage_storage_offset", set_storage);
  m.impl("set_.source_Tensor", set_tensor);
  m.impl("resize_", resize);
  m.impl("as_strided", at::native::as_strided_tensorimpl);
  m.impl("view", at::native::view);
  m.impl("view_as_real", at::native::view_as_real);
  m.impl("view_as_complex", at::native::view_as_complex);
  m.impl("unfold", at::native::unfold);
  m.impl("_reshape_alias", at::native::_reshape_alias);
  m.impl("convolution_overrideable", convolution);
  m.impl("convolution_backward_overrideable", convolution_backward);
  m.impl("native_batch_norm", batch_norm);
  m.impl("_thnn_fused_lstm_cell", lstm_cell);
  m.impl("_thnn_fused_gru_cell", gru_cell);
}

TORCH_LIBRARY_IMPL(aten, AutogradPrivateUse1, m) {  // Made of operations that autograd knows.
  m.impl("_thnn_fused_lstm_cell", lstm_cell);
  m.impl("_thnn_fused_gru_cell", gru_cell);
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
  using namespace at::autocast;
#define LOWER_PRECISION(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, lower_precision_fp)
#define FULL_PRECISION(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32)
#define WIDEST_PRECISION(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, promote)
  AT_FORALL_LOWER_PRECISION_FP(LOWER_PRECISION)
  AT_FORALL_FP32(FULL_PRECISION)
  AT_FORALL_PROMOTE(WIDEST_PRECISION)
}

struct Registration {
  Registration() { at::RegisterPrivateUse1HooksInterface(&hooks); }
} registration;

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("listen", [](const py::object& function) {
    delete listener;
    listener = function.is_none() ? nullptr : new py::object(function);
  });
}
