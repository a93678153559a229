/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xml_writer.c - other ways to read and write
 *
 * package: libxml2-dev
 * libraries: libxml-2.0
 * functions: xmlReaderForFile, xmlNewTextWriterFilename, htmlSaveFile, xmlSaveToFilename,
 * xmlC14NDocSave
 * with --alloc: xmlNewTextWriterFilename after malloc, htmlSaveFile after malloc,
 *   xmlSaveToFilename after malloc
 */
#include <libxml/HTMLtree.h>
#include <libxml/c14n.h>
#include <libxml/catalog.h>
#include <libxml/parser.h>
#include <libxml/xmlreader.h>
#include <libxml/xmlsave.h>
#include <libxml/xmlwriter.h>

int main(void)
{
	for (int i = 0; i < 3; i++) {
		xmlDocPtr document =
			xmlReadFile("page.xml", NULL, XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
		xmlTextReaderPtr reader = xmlReaderForFile("page.xml", NULL, 0);
		xmlTextWriterPtr writer = xmlNewTextWriterFilename("writer.xml", 0);
		xmlSaveCtxtPtr save = xmlSaveToFilename("save.xml", NULL, 0);

		if (reader)
			xmlFreeTextReader(reader);
		if (writer)
			xmlFreeTextWriter(writer);
		if (save)
			xmlSaveClose(save);
		if (!document)
			continue;
		htmlSaveFile("new.html", document);
		xmlC14NDocSave(document, NULL, 0, NULL, 0, "canonical.xml", 0);
		xmlFreeDoc(document);
	}
	xmlCleanupParser();
	return 0;
}
