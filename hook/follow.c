/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/follow.h"

#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "common/log.h"

/* A connection that is silent for so long is at its end. */
#define KEEPALIVE_SECONDS 5
#define KEEPALIVE_COUNT	  3

/* With passwords: what is left out of a definition would be lost. */
#define INACTIVE_FLAGS (VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE)

struct follow {
	const char *uri;
	follow_changed *changed;
	void *opaque;
	virConnectPtr connection;
	bool closed; /* by the other side */
	int timer;
	bool ended; /* standard input has */
};

static void cleanup_domain(virDomainPtr *domain)
{
	if (*domain)
		virDomainFree(*domain);
}

/* libvirt's last error. Returns -1. */
static int libvirt_error(struct vgpu_error **err, const char *what)
{
	const char *message = virGetLastErrorMessage();

	return vgpu_error_set(err, EIO, "libvirt: %s: %s", what, message ? message : "no reason");
}

/* Errors are told where they happen, and not on standard error. */
static void ignore_error(void *opaque, virErrorPtr error)
{
	(void)opaque;
	(void)error;
}

static void timer_due(int timer, void *opaque)
{
	(void)timer;
	(void)opaque;
}

/* The mediator holds the other end: with it goes the reason to be. */
static void input_ready(int watch, int fd, int events, void *opaque)
{
	struct follow *follow = opaque;
	char bytes[64];

	(void)watch;
	if ((events & (VIR_EVENT_HANDLE_HANGUP | VIR_EVENT_HANDLE_ERROR)) ||
	    read(fd, bytes, sizeof(bytes)) <= 0)
		follow->ended = true;
}

static void connection_closed(virConnectPtr connection, int reason, void *opaque)
{
	struct follow *follow = opaque;

	(void)connection;
	(void)reason;
	follow->closed = true;
}

static void tell(struct follow *follow, virDomainPtr domain)
{
	uint8_t uuid[VIR_UUID_BUFLEN];

	if (virDomainGetUUID(domain, uuid) == 0)
		follow->changed(follow->opaque, uuid);
}

static int domain_changed(virConnectPtr connection, virDomainPtr domain, int event, int detail,
			  void *opaque)
{
	(void)connection;
	(void)event;
	(void)detail;
	tell(opaque, domain);
	return 0;
}

static void metadata_changed(virConnectPtr connection, virDomainPtr domain, int type,
			     const char *uri, void *opaque)
{
	(void)connection;
	(void)type;
	(void)uri;
	tell(opaque, domain);
}

static void drop(struct follow *follow)
{
	if (!follow->connection)
		return;
	virConnectUnregisterCloseCallback(follow->connection, connection_closed);
	virConnectClose(follow->connection);
	follow->connection = NULL;
}

int follow_new(const char *uri, follow_changed *changed, void *opaque, struct follow **follow,
	       struct vgpu_error **err)
{
	VGPU_CLEANUP(follow_free) struct follow *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->uri = uri;
	made->changed = changed;
	made->opaque = opaque;
	virSetErrorFunc(NULL, ignore_error);
	if (virEventRegisterDefaultImpl() < 0)
		return libvirt_error(err, "cannot wait for events");
	made->timer = virEventAddTimeout(-1, timer_due, made, NULL);
	if (made->timer < 0 ||
	    virEventAddHandle(STDIN_FILENO, VIR_EVENT_HANDLE_READABLE, input_ready, made, NULL) < 0)
		return libvirt_error(err, "cannot wait for standard input");
	*follow = vgpu_steal_pointer(&made);
	return 0;
}

void follow_free(struct follow **follow)
{
	struct follow *old = vgpu_steal_pointer(follow);

	if (!old)
		return;
	drop(old);
	free(old);
}

bool follow_connected(const struct follow *follow)
{
	return follow->connection && !follow->closed;
}

int follow_connect(struct follow *follow, struct vgpu_error **err)
{
	drop(follow);
	follow->closed = false;
	follow->connection = virConnectOpen(follow->uri);
	if (!follow->connection)
		return libvirt_error(err, follow->uri);
	if (virConnectRegisterCloseCallback(follow->connection, connection_closed, follow, NULL) <
		    0 ||
	    virConnectDomainEventRegisterAny(
		    follow->connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		    VIR_DOMAIN_EVENT_CALLBACK(domain_changed), follow, NULL) < 0 ||
	    virConnectDomainEventRegisterAny(
		    follow->connection, NULL, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
		    VIR_DOMAIN_EVENT_CALLBACK(metadata_changed), follow, NULL) < 0) {
		libvirt_error(err, "cannot ask for events");
		drop(follow);
		return -1;
	}
	/* Drivers without keepalive are in this process, or their sockets end with them. */
	virConnectSetKeepAlive(follow->connection, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
	return 0;
}

bool follow_wait(struct follow *follow, int ms)
{
	virEventUpdateTimeout(follow->timer, ms);
	virEventRunDefaultImpl();
	virEventUpdateTimeout(follow->timer, -1);
	return !follow->ended;
}

int follow_list(struct follow *follow, uint8_t (**uuids)[16], size_t *count,
		struct vgpu_error **err)
{
	virDomainPtr *domains = NULL;
	int n = virConnectListAllDomains(follow->connection, &domains, 0);

	if (n < 0)
		return libvirt_error(err, "cannot list the domains");
	*uuids = calloc((size_t)n + 1, sizeof(**uuids));
	*count = 0;
	for (int i = 0; i < n; i++) {
		if (*uuids && virDomainGetUUID(domains[i], (*uuids)[*count]) == 0)
			(*count)++;
		virDomainFree(domains[i]);
	}
	free(domains);
	return *uuids ? 0 : vgpu_error_set(err, ENOMEM, "out of memory");
}

/* Returns 1 and *domain, 0 where there is none, or -1 and err. */
static int find(struct follow *follow, const uint8_t uuid[16], virDomainPtr *domain,
		struct vgpu_error **err)
{
	*domain = virDomainLookupByUUID(follow->connection, uuid);
	if (*domain)
		return 1;
	return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN
		       ? 0
		       : libvirt_error(err, "cannot look a domain up");
}

/* Returns whether the last call failed because the domain went. */
static bool went(void)
{
	return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

static int read_document(virDomainPtr domain, unsigned int flags, struct domain_xml *document,
			 struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *xml = virDomainGetXMLDesc(domain, flags);

	if (!xml)
		return libvirt_error(err, "cannot read a domain");
	domain_xml_read(document, xml);
	return 0;
}

/* libvirt writes a carriage return in a name so that it reads as another character. */
static int take_name(virDomainPtr domain, struct domain_xml *document, struct vgpu_error **err)
{
	const char *name = virDomainGetName(domain);

	if (!document->there || !name)
		return 0;
	free(document->info.name);
	document->info.name = strdup(name);
	return document->info.name ? 0 : vgpu_error_set(err, ENOMEM, "out of memory");
}

int follow_look(struct follow *follow, const uint8_t uuid[16], struct domain_view *view,
		struct vgpu_error **err)
{
	VGPU_CLEANUP(cleanup_domain) virDomainPtr domain = NULL;
	int found = find(follow, uuid, &domain, err);
	int running, persistent;

	*view = (struct domain_view){ .running = false };
	if (found <= 0)
		return found;
	running = virDomainIsActive(domain);
	persistent = running < 0 ? -1 : virDomainIsPersistent(domain);
	if (persistent < 0)
		return went() ? 0 : libvirt_error(err, "cannot look at a domain");
	if ((running && read_document(domain, 0, &view->live, err) < 0) ||
	    (persistent && read_document(domain, INACTIVE_FLAGS, &view->inactive, err) < 0)) {
		if (!went())
			return -1;
		/* Nothing of it is left; what was read before is the caller's to clear. */
		vgpu_error_free(err);
		return 0;
	}
	view->running = running;
	view->persistent = persistent;
	return take_name(domain, &view->live, err) | take_name(domain, &view->inactive, err);
}

/* The definition with the vGPU, freed with free(); or NULL and err. */
static char *with_vgpu(const char *xml, const struct vgpu_domain_options *options,
		       struct vgpu_error **err)
{
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	char *attached = NULL;
	size_t length;

	if (strlen(xml) > DOMAIN_XML_MAX) {
		vgpu_error_set(err, EFBIG, "its XML is longer than %zu MiB", DOMAIN_XML_MAX >> 20);
		return NULL;
	}
	if (vgpu_domain_parse(&domain, xml, strlen(xml), err) < 0 ||
	    vgpu_domain_attach(domain, options, err) < 0 ||
	    vgpu_domain_format(domain, &attached, &length, err) < 0)
		return NULL;
	return attached;
}

int follow_attach(struct follow *follow, const uint8_t uuid[16],
		  const struct vgpu_domain_options *options, struct vgpu_error **err)
{
	VGPU_CLEANUP(cleanup_domain) virDomainPtr domain = NULL;
	VGPU_CLEANUP(cleanup_domain) virDomainPtr defined = NULL;
	VGPU_AUTO_FREE char *xml = NULL, *attached = NULL, *now = NULL;
	int found = find(follow, uuid, &domain, err);

	if (found <= 0)
		return found;
	xml = virDomainGetXMLDesc(domain, INACTIVE_FLAGS);
	if (!xml)
		return libvirt_error(err, "cannot read the definition");
	attached = with_vgpu(xml, options, err);
	if (!attached)
		return -1;
	now = virDomainGetXMLDesc(domain, INACTIVE_FLAGS);
	if (!now || strcmp(now, xml) != 0)
		return 0;
	defined = virDomainDefineXML(follow->connection, attached);
	return defined ? 1 : libvirt_error(err, "cannot define it with its vGPU");
}
